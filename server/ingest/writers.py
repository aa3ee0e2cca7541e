"""The writers of a session in the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from ..db.models import Writer
from ..sessions.status import WriterState

_OF_SESSION = select(Writer.__table__).where(Writer.session_key == bindparam("session_key"))
_FIELDS = ("last_seq", "started_at", "last_seen_at", "ended_at", "status", "reason")


def _upsert(insert: Any) -> Any:
    statement = insert(Writer.__table__)
    return statement.on_conflict_do_update(
        index_elements=["session_key", "id"], set_={name: statement.excluded[name] for name in _FIELDS}
    )


_SAVE = {"sqlite": _upsert(sqlite.insert), "postgresql": _upsert(postgresql.insert)}


def load_writers(connection: Connection, session_key: int) -> dict[str, WriterState]:
    rows = connection.execute(_OF_SESSION, {"session_key": session_key})
    return {row.id: WriterState(id=row.id, **{name: getattr(row, name) for name in _FIELDS}) for row in rows}


def save_writer(connection: Connection, session_key: int, writer: WriterState) -> None:
    values = {name: getattr(writer, name) for name in _FIELDS}
    connection.execute(_SAVE[connection.dialect.name], {"session_key": session_key, "id": writer.id, **values})
