"""Which params differ between sessions: the table shows these alone if the user asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from .field_index import SharedParams, index_of

MAX_DIFFERING = 200


def differing_params(connection: Connection, projects: Sequence[int], keys: Sequence[int]) -> dict[str, Any]:
    """The params that are not the same in all of these sessions, or that some do not have.

    Args:
        projects: ids of the sessions' projects.
        keys: of the sessions.

    Returns:
        {"params": names, those in objects with their path, at most MAX_DIFFERING; "more": whether there are others;
        "sessions": how many were compared}. Values are compared as in groups of sessions: numbers
        as numbers, also those in texts, and lists as a whole.
    """
    found = SharedParams()
    for project in projects:
        index_of(connection, project).collect_params(connection, project, keys, found)
    names = sorted(found.differing)
    return {"params": names[:MAX_DIFFERING], "more": len(names) > MAX_DIFFERING, "sessions": len(keys)}
