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
from ..db.keyset import Int64, SortColumn, read_cursor, rows_after
from ..db.models import Session
from ..exceptions import ApiError
from ..query import columns

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
    """Keys of sessions in order; `cursor` continues after them, None if there are no more."""

    keys: list[int]
    cursor: Cursor | None


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
    return Page([row[-1] for row in shown], Cursor(sort, asked_at, list(shown[-1])) if more else None)


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
        "progress": columns.progress(),
        "elapsed": columns.elapsed(asked_at),
    }
    if name in plain:
        rows = select(_columns.key, plain[name].label("value")).where(within).subquery("sorted")
        return _Order(rows, [rows.c.value])
    if match := json_entries.STATISTIC.fullmatch(name):
        found = json_entries.statistic(connection, match[2], match[1])
        rows = json_entries.extracted_rows(within, [found])
        return _Order(rows, [found.number(rows.c)])
    if name.startswith(("params.", "values.")):
        column, _, path = name.partition(".")
        found = json_entries.entry(connection, _columns[column], path)
        rows = json_entries.extracted_rows(within, [found])
        return _Order(rows, [found.number(rows.c), found.text(rows.c)])  # numbers in their order, then texts
    raise ApiError(
        400, "bad_request", f"'sort' cannot be {name[:60]!r}; it is a column or, for example, min(train_loss)"
    )
