"""The session table's columns in SQL, as sorting and queries use them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Float, case, cast, func, null
from sqlalchemy.sql.elements import ColumnElement

from ..db.engine import is_sqlite
from ..db.models import Session

TEXTS = ("tag", "id", "status", "reason", "group", "commit", "branch", "host", "user", "note")
TIMES = ("created", "updated", "ended")

_columns = Session.__table__.c
_NAMES = {
    "group": "group_name",
    "iter": "last_x",
    "commit": "git_commit",
    "branch": "git_branch",
    "user": "user_name",
    **{time: f"{time}_at" for time in TIMES},
}


def by_name(name: str, now: float) -> Any:
    """A column that is not a list, by its name in queries."""
    if name == "progress":
        return progress()
    if name == "elapsed":
        return elapsed(now)
    return _columns[_NAMES.get(name, name)]


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


def each_tag(connection: Connection, tags: Any = _columns.tags, or_null: bool = False) -> Any:
    """A table of a session's tags, with the column `value`. Databases may hold what is no list.

    Args:
        tags: the column, or that of a subquery.
        or_null: one row with NULL, if there are no tags.
    """
    if is_sqlite(connection):
        valid: Any = case((func.json_valid(tags) == 1, tags), else_="[]")
        if or_null:
            valid = case((func.json_array_length(valid) > 0, valid), else_="[null]")
        return func.json_each(valid).table_valued("value", name="each_tag")
    valid = case((func.jsonb_typeof(tags) == "array", tags), else_=cast([], tags.type))
    if or_null:
        valid = case((func.jsonb_array_length(valid) > 0, valid), else_=cast([None], tags.type))
    return func.jsonb_array_elements_text(valid).table_valued("value", name="each_tag")
