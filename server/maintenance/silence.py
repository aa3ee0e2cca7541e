"""Silent sessions: any worker writes down, now and then, what a session is that has not been heard from."""

from __future__ import annotations

import time

from sqlalchemy import select, text, update

from ..db.engine import is_sqlite, reading, writing
from ..db.models import Session
from ..db.outages import outage
from ..live import changes as live_changes
from ..sessions import status
from .periodic import Chore

EVERY = 5.0
SWEEP_LOCK = 0x10552


def sweep(now: float) -> int:
    """Write down the status of the sessions that are silent at `now`; returns how many."""
    table = Session.__table__
    silent = status.stale_filter(now)
    with reading() as connection:
        if connection.execute(select(table.c.key).where(silent).limit(1)).first() is None:
            return 0
    changes = []
    with writing() as connection:
        if not is_sqlite(connection):
            lock = text("SELECT pg_try_advisory_xact_lock(:lock)")
            if not connection.execute(lock, {"lock": SWEEP_LOCK}).scalar():
                return 0  # another worker is at it
        rows = connection.execute(select(table).where(silent).with_for_update(skip_locked=True)).all()
        for row in rows:
            changed = {**status.stale_status(row._asdict()), "eta": None, "version": row.version + 1}
            connection.execute(update(table).where(table.c.key == row.key).values(changed))
            change = live_changes.Change(
                session=row.id,
                session_key=row.key,
                project=row.project_id,
                before=row.version,
                version=row.version + 1,
                first_arrival=row.next_sequence,
                arrivals=row.next_sequence,
            )
            live_changes.notify(connection, change)
            changes.append(change)
    for change in changes:
        live_changes.committed(change)
    return len(changes)


def _sweep() -> None:
    try:
        sweep(time.time())
    except Exception as error:
        if outage(error) is not None:
            status.note_outage(time.time())
        raise


sweeper = Chore("losswise-sweep", EVERY, _sweep, "silent sessions could not be looked for")
