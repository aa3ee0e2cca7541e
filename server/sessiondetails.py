"""All that is known of one session, as the read API and the session's own page give it."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection

from . import sessionlist
from .facts import read_facts
from .images import read_images
from .texts import read_texts


def read_session(connection: Connection, session_key: int, session_id: str) -> dict[str, Any] | None:
    """The session as the list shows it, with its surroundings, error, texts and images; None where it is gone."""
    row = sessionlist.read_session_row(connection, session_id, time.time())
    if row is None:
        return None
    facts = read_facts(connection, session_key)
    row.update(
        {name: facts.get(name) or {} for name in ("git", "env", "info")},
        error=facts.get("error") if row["status"] == "failed" else None,  # an earlier writer's, else
        texts=read_texts(connection, session_key),
        images=read_images(connection, session_key),
    )
    return row
