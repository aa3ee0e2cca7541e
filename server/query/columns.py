"""The session table's columns in SQL, as sorting and queries use them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, case, cast, func, null
from sqlalchemy.sql.elements import ColumnElement

from ..db.models import Session

_columns = Session.__table__.c


def progress() -> ColumnElement[Any]:
    """From 0 to 1; NULL if it is not known."""
    return case(
        (_columns.status == "complete", 1.0),
        (_columns.max_iter.is_(None), null()),
        # as a float first: the greatest x and one more is beyond 64 bits
        else_=(cast(func.coalesce(_columns.last_x, -1), Float(53)) + 1) / _columns.max_iter,
    )


def elapsed(now: float) -> ColumnElement[Any]:
    """Seconds from a session's beginning to its end, or to `now`."""
    return func.coalesce(_columns.ended_at, now) - _columns.created_at
