"""Empty the bin of what has been in it for long; forget edits and deletions that cannot be undone any more, and unused
addresses."""

from __future__ import annotations

import time

from sqlalchemy import delete, select

from ..accounts.addresses import forget_addresses
from ..accounts.views import forget_views
from ..db.edit_models import EDIT_KEPT_S, Edit
from ..db.engine import BIN_LOCK, reading, writing
from ..db.models import Session
from . import deletion
from .periodic import PeriodicTask

INTERVAL_S = 600.0
MAX_BIN_AGE_S = 30 * 24 * 3_600
CHUNK_SESSIONS = 1_000  # of one transaction

_table = Session.__table__


def empty_bin(now: float) -> int:
    """Delete for good the sessions that have been in the bin for 30 days at `now` (unix seconds); returns how many.

    0 also if another worker is doing it.
    """
    until = now - MAX_BIN_AGE_S
    deleted = 0
    while True:
        with reading() as connection:
            query = select(_table.c.key).where(_table.c.deleted_at <= until).order_by(_table.c.key)
            keys = list(connection.execute(query.limit(CHUNK_SESSIONS)).scalars())
        # somebody may have taken them out of the bin since, or another worker may have the lock
        done = deletion.delete_from_bin(keys, until, BIN_LOCK) if keys else 0
        deleted += done
        if not done:
            return deleted


def forget_edits(now: float) -> None:
    """Delete what was kept to take back edits that are older than a day."""
    table = Edit.__table__
    is_old = table.c.created_at <= now - EDIT_KEPT_S
    with reading() as connection:
        if connection.execute(select(table.c.id).where(is_old).limit(1)).first() is None:
            return
    with writing() as connection:
        connection.execute(delete(table).where(is_old))


def _work() -> None:
    now = time.time()
    empty_bin(now)
    forget_edits(now)
    forget_views(now)
    forget_addresses(now)


empty_bin_task = PeriodicTask("losswise-bin", INTERVAL_S, _work, "the bin could not be emptied")
