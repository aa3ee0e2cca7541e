"""Delete sessions. Their ids are kept, so that a client that still writes one gets 410; their rows are purged later."""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select
from sqlalchemy.sql.elements import ColumnElement

from ..db.engine import insert_or_update, try_advisory_lock, writing
from ..db.many_rows import is_among
from ..db.models import DeletedSession, Session
from ..live import changes
from ..sessions.change_numbers import note_removals
from . import purge

_table = Session.__table__
_shown = select(_table.c.key, _table.c.id, _table.c.project_id, _table.c.version)


def delete_session(session_id: str) -> None:
    """Delete the session, if there is one with this id. From then on nothing that belongs to it can be read."""
    with writing() as connection:
        gone = _delete(connection, _table.c.id == session_id)
    _finish(gone)


def delete_from_bin(keys: Sequence[int], until: float, lock: int | None = None) -> int:
    """Delete the sessions with these keys that have been in the bin since `until` (unix seconds) or longer.

    Args:
        lock: the number of an advisory lock; nothing is deleted if another process holds it.

    Returns how many.
    """
    with writing() as connection:
        if lock is not None and not try_advisory_lock(connection, lock):
            return 0
        gone = _delete(connection, is_among(connection, _table.c.key, keys) & (_table.c.deleted_at <= until))
    _finish(gone)
    return len(gone)


def _delete(connection: Connection, which: ColumnElement[bool]) -> list[changes.Change]:
    # locked in one order, as edits of many sessions are
    rows = connection.execute(_shown.where(which).order_by(_table.c.key).with_for_update()).all()
    if not rows:
        return []
    keys = [row.key for row in rows]
    purge.schedule(connection, *keys)
    connection.execute(delete(_table).where(is_among(connection, _table.c.key, keys)))
    statement = insert_or_update(connection, DeletedSession.__table__).on_conflict_do_nothing()
    now = time.time()
    connection.execute(statement, [{"id": row.id, "deleted_at": now} for row in rows])
    note_removals(connection, [(row.project_id, row.id) for row in rows])
    gone = [
        changes.Change(
            session=row.id,
            session_key=row.key,
            project=row.project_id,
            before=row.version,
            version=row.version + 1,
            deleted=True,
        )
        for row in rows
    ]
    for change in changes.announced(gone):
        changes.notify(connection, change)
    return gone


def _finish(gone: list[changes.Change]) -> None:
    """After the transaction."""
    for change in changes.announced(gone):
        changes.committed(change)
    if gone:
        purge.purge_task.wake()
