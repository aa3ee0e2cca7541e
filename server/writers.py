"""The writers of a session in the database."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from .database import is_sqlite
from .models import Writer
from .status import WriterState


def load_writers(connection: Connection, session_key: int) -> dict[str, WriterState]:
    table = Writer.__table__
    rows = connection.execute(select(table).where(table.c.session_key == session_key))
    return {
        row.id: WriterState(row.id, row.last_seq, row.started_at, row.heard_at, row.ended_at, row.status, row.reason)
        for row in rows
    }


def save_writer(connection: Connection, session_key: int, writer: WriterState) -> None:
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    values = {
        "last_seq": writer.last_seq,
        "started_at": writer.started_at,
        "heard_at": writer.heard_at,
        "ended_at": writer.ended_at,
        "status": writer.status,
        "reason": writer.reason,
    }
    connection.execute(
        insert(Writer.__table__)
        .values(session_key=session_key, id=writer.id, **values)
        .on_conflict_do_update(index_elements=["session_key", "id"], set_=values)
    )
