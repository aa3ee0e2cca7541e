"""Where a session is: among the current ones, in the archive, or in the bin."""

from __future__ import annotations

from sqlalchemy import and_
from sqlalchemy.sql.elements import ColumnElement

from ..db.models import Session
from ..exceptions import ApiError

CURRENT, ARCHIVE, BIN = PLACES = ("current", "archive", "bin")

_columns = Session.__table__.c


def is_in(place: str) -> ColumnElement[bool]:
    """SQL condition: the session is in this place. What is in the bin is in no other.

    Raises:
        ApiError: with 400, if there is no such place.
    """
    if place == CURRENT:
        return and_(_columns.archived_at.is_(None), _columns.deleted_at.is_(None))
    if place == ARCHIVE:
        return and_(_columns.archived_at.is_not(None), _columns.deleted_at.is_(None))
    if place == BIN:
        return _columns.deleted_at.is_not(None)
    raise ApiError(400, "bad_request", f"'in' is {CURRENT}, {ARCHIVE} or {BIN}, not {place[:40]!r}")
