"""Delete a session. Its id is kept, so that a client that still writes it gets 410; its rows are purged later."""

from __future__ import annotations

import time

from sqlalchemy import delete, select

from ..db.engine import insert_or_update, writing
from ..db.models import DeletedSession, Session
from ..live import changes
from ..sessions.change_numbers import note_removal
from . import purge


def delete_session(session_id: str) -> None:
    """Delete the session, if there is one with this id. From then on nothing that belongs to it can be read."""
    table = Session.__table__
    with writing() as connection:
        row = connection.execute(select(table).where(table.c.id == session_id).with_for_update()).first()
        if row is None:
            return
        purge.schedule(connection, row.key)
        connection.execute(delete(table).where(table.c.key == row.key))
        statement = insert_or_update(connection, DeletedSession.__table__)
        connection.execute(statement.values(id=session_id, deleted_at=time.time()).on_conflict_do_nothing())
        note_removal(connection, row.project_id, session_id)
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
    purge.purge_task.wake()
