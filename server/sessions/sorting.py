"""The orders of the list of sessions, and its pages.

Sorting looks at every session that the filter matches. So a subquery extracts only what is sorted by, and the rows of a
page are fetched afterwards, by their keys.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Integer, Subquery, cast, func, select
from sqlalchemy.sql.elements import ColumnElement

from ..db import json_entries
from ..db.json_entries import STATISTIC
from ..db.keyset import Int64, SortColumn, read_cursor, rows_after
from ..db.models import Session
from ..exceptions import ApiError
from ..query import columns
from ..query.entries import Entries
from ..query.nodes import STATISTICS, Field

Expression = ColumnElement[Any]

_columns = Session.__table__.c


class Cursor(msgspec.Struct, array_like=True):
    """The end of a page: the sort values of its last row.

    `asked_at` (unix seconds) is when the first page was asked for. All pages count the elapsed time of active sessions
    up to then, so that these keep their place between ended ones.
    """

    sort: str
    asked_at: float
    values: list[Int64 | float | str | None]


class Page(NamedTuple):
    """Keys of sessions in order.

    Attributes:
        cursor: continues after them, None if there are no more.
        has_values: whether some session of the page has what is sorted by.
    """

    keys: list[int]
    cursor: Cursor | None
    has_values: bool


class _Order(NamedTuple):
    """A subquery of sessions with `key`, and the expressions on its columns to sort by."""

    rows: Subquery
    expressions: list[Expression]


def read_page(connection: Connection, within: ColumnElement[bool], sort: str, cursor: str | None, limit: int) -> Page:
    """Read the keys of one page of the sessions that match `within`.

    Args:
        sort: a column, a statistic as min(loss), params.NAME or values.NAME; "-" before it for descending.
        cursor: of the page before; None for the first page.

    Raises:
        ApiError: with 400, for a sort that does not exist or a cursor of another sort.
    """
    after = read_cursor(cursor, Cursor) if cursor else None
    asked_at = after.asked_at if after else time.time()
    order = _order(connection, within, sort.removeprefix("-"), asked_at)
    sorted_by = [SortColumn(expression, sort.startswith("-")) for expression in order.expressions]
    sorted_by.append(SortColumn(order.rows.c.key, descending=True))  # unique: makes the order total
    query = select(*(column.expression.label(f"value_{index}") for index, column in enumerate(sorted_by)))
    if after:
        if after.sort != sort or len(after.values) != len(sorted_by):
            raise ApiError(400, "bad_request", "'cursor' does not belong to this 'sort'")
        query = query.where(rows_after(sorted_by, after.values))
    for column in sorted_by:
        query = query.order_by(*column.order_by())
    found = connection.execute(query.limit(limit + 1)).all()
    shown = found[:limit]
    more = len(found) > limit
    # missing values come last
    has_values = after is not None or (bool(shown) and any(value is not None for value in shown[0][:-1]))
    return Page([row[-1] for row in shown], Cursor(sort, asked_at, list(shown[-1])) if more else None, has_values)


def raise_if_unknown(connection: Connection, within: ColumnElement[bool], sort: str) -> None:
    """Raise ApiError (400) for a sort by a statistic, param or value that none of these sessions has."""
    field = _field(sort.removeprefix("-"))
    if field is None:
        return
    entries = Entries(connection, field)
    rows = json_entries.subquery_of(connection, within, entries.extracted)
    if connection.execute(select(rows.c.key).where(entries.exists(rows.c)).limit(1)).first() is not None:
        return
    if connection.execute(select(_columns.key).where(within).limit(1)).first() is not None:
        what = {"params": "param", "values": "value"}.get(field.kind, "metric")
        raise ApiError(400, "bad_request", f"'sort' names the {what} {field.name[:60]!r}, which no session has")


def _field(name: str) -> Field | None:
    """The statistic, param or value that a sort names."""
    if match := STATISTIC.fullmatch(name):
        return Field(match[1], match[2])
    kind, _, entry = name.partition(".")
    return Field(kind, entry) if kind in ("params", "values") and entry else None


def _order(connection: Connection, within: ColumnElement[bool], name: str, asked_at: float) -> _Order:
    plain: dict[str, Expression] = {
        "id": _columns.id,
        "tag": func.lower(_columns.tag),
        "status": _columns.status,
        "created_at": _columns.created_at,
        "updated_at": _columns.updated_at,
        "archived_at": _columns.archived_at,
        "deleted_at": _columns.deleted_at,
        "starred": cast(_columns.starred, Integer),
        "max_iter": _columns.max_iter,
        "last_x": _columns.last_x,
        "points": _columns.points,
        "eta": _columns.eta,
        "group": _columns.group_name,
        "commit": _columns.git_commit,
        "branch": _columns.git_branch,
        "host": _columns.host,
        "user": _columns.user_name,
        "progress": columns.progress(),
        "elapsed": columns.elapsed(asked_at),
    }
    if name in plain:
        rows = select(_columns.key, plain[name].label("value")).where(within).subquery("sorted")
        return _Order(rows, [rows.c.value])
    if field := _field(name):
        entries = Entries(connection, field)
        rows = json_entries.subquery_of(connection, within, entries.extracted)
        if field.kind in STATISTICS:
            return _Order(rows, [entries.number(rows.c)])
        # numbers in their order, then texts, then false and true, then lists
        return _Order(rows, [read(rows.c) for read in (entries.number, entries.text, entries.literal, entries.list)])
    raise ApiError(
        400, "bad_request", f"'sort' cannot be {name[:60]!r}; it is a column or, for example, min(train_loss)"
    )
