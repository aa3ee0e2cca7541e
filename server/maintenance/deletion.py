"""Taking a session away. Its id is kept, so that a running client is told; its rows go in the background."""

from __future__ import annotations

import time

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from ..db.engine import is_sqlite, writing
from ..db.models import DeletedSession, Session
from ..live import changes
from . import purge


def delete_session(session_id: str) -> None:
    """Delete the session; nothing happens where there is none. Nothing that belongs to it can be reached any more."""
    table = Session.__table__
    with writing() as connection:
        row = connection.execute(select(table).where(table.c.id == session_id).with_for_update()).first()
        if row is None:
            return
        purge.mark(connection, row.key)
        connection.execute(delete(table).where(table.c.key == row.key))
        insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
        connection.execute(
            insert(DeletedSession.__table__).values(id=session_id, deleted_at=time.time()).on_conflict_do_nothing()
        )
        change = changes.Change(
            session=session_id,
            session_key=row.key,
            project=row.project_id,
            before=row.version,
            version=row.version + 1,
            deleted=True,
        )
        changes.notify(connection, change)
    changes.committed(change)
    purge.freer.nudge()
