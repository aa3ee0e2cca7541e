"""A session's surroundings: git, environment, notes and the error that ended it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from ..db.engine import insert_or_update
from ..db.models import SessionMetadata

FIELDS = ("git", "env", "info", "error")


def merge_metadata(connection: Connection, session_key: int, fields: Mapping[str, Any]) -> None:
    """Merge the fields that are there into the session's facts."""
    given = {name: fields[name] for name in FIELDS if fields.get(name)}
    if not given:
        return
    known = read_metadata(connection, session_key)
    merged = {name: value if name == "error" else {**(known.get(name) or {}), **value} for name, value in given.items()}
    values = {"git": {}, "env": {}, "info": {}, **merged}
    connection.execute(
        insert_or_update(connection, SessionMetadata.__table__)
        .values(session_key=session_key, **values)
        .on_conflict_do_update(index_elements=["session_key"], set_=merged)
    )


def read_metadata(connection: Connection, session_key: int) -> dict[str, Any]:
    table = SessionMetadata.__table__
    row = connection.execute(select(table).where(table.c.session_key == session_key)).mappings().first()
    return {name: row[name] for name in FIELDS} if row is not None else {}
