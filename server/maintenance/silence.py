"""Mark stale sessions: those that are stored as active and have not been heard from for a minute."""

from __future__ import annotations

import time

from sqlalchemy import select, update

from ..db.engine import STALE_LOCK, reading, try_advisory_lock, writing
from ..db.models import Session
from ..db.outages import describe_outage
from ..live import changes as live_changes
from ..sessions import status
from ..sessions.change_numbers import next_change
from .periodic import PeriodicTask

INTERVAL_S = 5.0


def mark_stale(now: float) -> int:
    """Write the status of the sessions that are stale at `now` (unix seconds); returns how many.

    0 also if another worker is doing it.
    """
    table = Session.__table__
    stale = status.stale_filter(now)
    with reading() as connection:
        if connection.execute(select(table.c.key).where(stale).limit(1)).first() is None:
            return 0
    changes = []
    with writing() as connection:
        if not try_advisory_lock(connection, STALE_LOCK):
            return 0
        # a row that is locked belongs to a batch of its session: it is not stale any more
        rows = connection.execute(select(table).where(stale).with_for_update(skip_locked=True)).all()
        number = next_change(connection)
        for row in rows:
            changed = {**status.stale_status(row._asdict()), "eta": None, "version": row.version + 1}
            connection.execute(update(table).where(table.c.key == row.key).values({**changed, "change": number}))
            change = live_changes.Change(
                session=row.id,
                session_key=row.key,
                project=row.project_id,
                before=row.version,
                version=row.version + 1,
                first_sequence=row.next_sequence,
                next_sequence=row.next_sequence,
            )
            live_changes.notify(connection, change)
            changes.append(change)
    for change in changes:
        live_changes.committed(change)
    return len(changes)


def _mark_stale_now() -> None:
    try:
        mark_stale(time.time())
    except Exception as error:
        if describe_outage(error) is not None:
            status.note_outage(time.time())
        raise


mark_stale_task = PeriodicTask("losswise-sweep", INTERVAL_S, _mark_stale_now, "stale sessions could not be marked")
