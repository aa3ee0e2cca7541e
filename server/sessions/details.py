"""All that is known of one session, as the read API and the session's own page give it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from .images import read_images
from .metadata import read_metadata
from .refusals import read_refusals
from .texts import read_texts


def with_details(connection: Connection, session_key: int, row: dict[str, Any]) -> dict[str, Any]:
    """A session as the list shows it, and its surroundings, error, texts, images and refusals."""
    metadata = read_metadata(connection, session_key)
    return {
        **row,
        **{name: metadata.get(name) or {} for name in ("git", "env", "info")},
        "error": metadata.get("error") if row["status"] == "failed" else None,  # an earlier writer's, else
        "texts": read_texts(connection, session_key),
        "images": read_images(connection, session_key),
        "refusals": read_refusals(connection, session_key),
    }
