"""What is kept of an edit for a day, so that it can be taken back: a row of the table `edits`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from losswise.protocol.records import is_id

from ..accounts.permissions import Access
from ..db.edit_models import EDIT_KEPT_S, Edit
from ..exceptions import ApiError
from .fields import NAME, NOTE

# {tag: [state before, state after]}, see sessions.labels.tag_states; None: neither added nor removed
TagChanges = dict[str, list[str | None]]

_table = Edit.__table__


class Changes:
    """What an edit has changed.

    Attributes:
        after: the values of the fields that it has set, the same for all sessions.
        sessions: by the session's key, the values before, by field, and how the tags have changed.
    """

    def __init__(self, after: Mapping[str, Any]) -> None:
        self.after = dict(after)
        self.sessions: dict[int, tuple[dict[str, Any], TagChanges]] = {}

    @property
    def is_searched(self) -> bool:
        """Whether it has changed the text that the search field looks through."""
        return bool({NAME, NOTE} & self.after.keys()) or any(tags for _, tags in self.sessions.values())

    def store(self, connection: Connection, access: Access, now: float) -> str | None:
        """Returns the token that takes it back; None if nothing was changed."""
        if not self.sessions:
            return None
        token = secrets.token_hex(10)
        values = {
            "id": token,
            "user_id": access.user_id,
            "organization_id": access.organization_id,
            "created_at": now,
            "changes": {"after": self.after, "sessions": [[key, *change] for key, change in self.sessions.items()]},
        }
        connection.execute(insert(_table).values(values))
        return token


def take(connection: Connection, token: str, access: Access, now: float) -> Changes:
    """Read what an edit has changed. Its row is locked, and deleted once it is taken back (`discard`).

    Raises:
        ApiError: with 404, if there is none that this user, or a key of this organization, may take back.
    """
    is_own = _table.c.user_id == access.user_id
    if access.user_id is None:
        is_own = _table.c.user_id.is_(None) & (_table.c.organization_id == access.organization_id)
    query = select(_table.c.changes).where(_table.c.id == token, is_own, _table.c.created_at > now - EDIT_KEPT_S)
    row = connection.execute(query.with_for_update()).first() if is_id(token) else None
    if row is None:
        raise ApiError(404, "unknown_edit", "there is nothing to undo: it was undone already, or is over a day old")
    changes = Changes(row.changes["after"])
    changes.sessions = {key: (before, tags) for key, before, tags in row.changes["sessions"]}
    return changes


def discard(connection: Connection, token: str) -> None:
    connection.execute(delete(_table).where(_table.c.id == token))
