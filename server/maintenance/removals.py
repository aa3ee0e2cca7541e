"""Forget which sessions left a project some days ago: no page that is open has not heard of them."""

from __future__ import annotations

import time

from sqlalchemy import select

from ..db.change_models import Removal
from ..db.engine import reading, writing
from ..sessions.change_numbers import REMEMBERED_S, forget_removals
from .periodic import PeriodicTask

INTERVAL_S = 3_600.0


def forget(now: float) -> int:
    """Delete what was noted of removals before `now` (unix seconds) minus REMEMBERED_S; returns of how many."""
    old = select(Removal.session_id).where(Removal.removed_at < now - REMEMBERED_S).limit(1)
    with reading() as connection:
        if connection.execute(old).first() is None:
            return 0
    with writing() as connection:
        return forget_removals(connection, now)


forget_task = PeriodicTask(
    "losswise-removals", INTERVAL_S, lambda: forget(time.time()), "old removals could not be forgotten"
)
