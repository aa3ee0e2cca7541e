"""By what the list of sessions is sorted, and the cursor that tells a place in that order.

Sorting looks at every session of the filter, so each row's wide JSON is opened once, in a subquery that gives keys
and little else; the rows of a page are fetched afterwards, by their keys.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    Connection,
    Float,
    Subquery,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.sql.elements import ColumnElement

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from ..db.engine import is_sqlite
from ..db.models import Session
from . import status

_table = Session.__table__
_columns = _table.c
STATISTIC = re.compile(r"(min|max|last|count)\((.+)\)", re.DOTALL)
_IN_A_PATH = re.compile(r'[^"\\\x00-\x1f\x7f]+')
"""Names that SQLite's JSON paths can hold between quotes, in all its versions."""

Column = tuple[ColumnElement, bool]
Elements = Sequence[ColumnElement]


class BadQuery(ValueError):
    """A question that cannot be understood; the message says why."""


class Place(NamedTuple):
    """A place in the order: what the last row before it was sorted by, and the time at which silence was told."""

    at: list[Any]
    now: float


class _Order(NamedTuple):
    """What is read of a session, and the columns to sort by that are made of it."""

    read: Elements
    columns: Callable[[Elements], Elements]


def once(expressions: Elements, within: ColumnElement) -> Subquery:
    """A subquery of sessions with `key` and each expression as read_0, read_1, ..., worked out once a row."""
    labelled = (expression.label(f"read_{n}") for n, expression in enumerate(expressions))
    # without OFFSET both databases would put the expressions into every place where they are used
    return select(_columns.key, *labelled).where(within).offset(0).subquery("once")


def page(
    connection: Connection, within: ColumnElement, sort: str, now: float, after: Place | None, limit: int
) -> list[tuple[int, Place]]:
    """The first keys after a place, each with its own place. Missing values are last, in both directions."""
    order = _order(connection, sort.removeprefix("-"), now)
    read = once(order.read, within)
    descending = sort.startswith("-")
    # the last is the key, which no two sessions share
    columns = [
        *((column, descending) for column in order.columns([read.c[f"read_{n}"] for n in range(len(order.read))])),
        (read.c.key, True),
    ]
    query = select(*(column.label(f"sort_{n}") for n, (column, _) in enumerate(columns)))
    if after:
        query = query.where(_after(columns, after.at))
    for column, down in columns:
        query = query.order_by(column.is_(None), column.desc() if down else column.asc())
    return [(row[-1], Place(list(row), now)) for row in connection.execute(query.limit(limit))]


def shown_status(now: float) -> ColumnElement:
    """status.shown in SQL: the status."""
    silent, ended = _silent(now)
    return case((and_(silent, ended), _columns.end_status), (silent, literal("cancelled")), else_=_columns.status)


def _shown_end(now: float) -> ColumnElement:
    """status.shown in SQL: the end, or the time `now` where there is none."""
    silent, ended = _silent(now)
    shown = case((and_(silent, ended), _columns.end_at), (silent, _columns.heard_at), else_=_columns.ended_at)
    return func.coalesce(shown, now)


def _silent(now: float) -> tuple[ColumnElement, ColumnElement]:
    """Whether a session is silent; and if it is, whether it is what its ended writers say."""
    silent = and_(_columns.status == "active", _columns.heard_at < max(status.silent_before(now), -1e18))
    return silent, _columns.heard_at <= _columns.end_heard_at + status.WITH_THE_OTHERS


# what there is to sort by


def _order(connection: Connection, name: str, now: float) -> _Order:
    done = case(
        (shown_status(now) == "complete", 1.0),
        (_columns.max_iter.is_(None), null()),
        else_=cast(func.coalesce(_columns.last_x, -1) + 1, Float(53)) / _columns.max_iter,
    )
    plain: dict[str, ColumnElement] = {
        "id": _columns.id,
        "tag": func.lower(_columns.tag),
        "status": shown_status(now),
        "created_at": _columns.created_at,
        "updated_at": _columns.updated_at,
        "max_iter": _columns.max_iter,
        "last_x": _columns.last_x,
        "points": _columns.points,
        "eta": case((shown_status(now) == "active", _columns.eta)),
        "group": _columns.group_name,
        "progress": done,
        "elapsed": _shown_end(now) - _columns.created_at,
    }
    if name in plain:
        return _Order([plain[name]], lambda read: read)
    sqlite = is_sqlite(connection)
    if stat := STATISTIC.fullmatch(name):
        return (statistic_sqlite if sqlite else statistic_postgresql)(stat[2], stat[1])
    if name.startswith(("params.", "values.")):
        column, _, path = name.partition(".")
        return (_any_sqlite if sqlite else _any_postgresql)(_columns[column], path)
    raise BadQuery(f"'sort' cannot be {name[:60]!r}; it is a column or, for example, min(train_loss)")


def statistic_postgresql(name: str, field: str) -> _Order:
    """A number out of the statistics' JSON; what is not finite is a text there, and missing here."""

    def columns(read: Elements) -> Elements:
        return [case((func.jsonb_typeof(read[0]) == "number", cast(_text_of(read[0]), Float(53))))]

    return _Order([_columns.stats[name][field]], columns)


def statistic_sqlite(name: str, field: str) -> _Order:
    def columns(read: Elements) -> Elements:
        return [case((func.typeof(read[0]).in_(("real", "integer")), type_coerce(read[0], Float(53))))]

    if _IN_A_PATH.fullmatch(name):
        return _Order([func.json_extract(_columns.stats, f'$."{name}".{field}')], columns)
    return _Order(
        _of_entry(_columns.stats, name, lambda entry: [func.json_extract(entry.value, f"$.{field}")]), columns
    )


def _any_postgresql(column: ColumnElement, name: str) -> _Order:
    """A param or value: numbers in their order, then texts in theirs."""

    def columns(read: Elements) -> Elements:
        kind, as_text = func.json_typeof(read[0]), _text_of(read[0])
        return [case((kind == "number", cast(as_text, Float(53)))), case((kind == "string", as_text))]

    return _Order([column[name]], columns)


def _any_sqlite(column: ColumnElement, name: str) -> _Order:
    def columns(read: Elements) -> Elements:
        value, kind = read
        number = case((kind.in_(("real", "integer")), type_coerce(value, Float(53))))
        return [number, case((kind == "text", type_coerce(value, Text())))]

    if _IN_A_PATH.fullmatch(name):
        path = f'$."{name}"'
        return _Order([func.json_extract(column, path), func.json_type(column, path)], columns)
    return _Order(_of_entry(column, name, lambda entry: [entry.value, entry.type]), columns)


def _text_of(value: ColumnElement) -> ColumnElement:
    """A JSON value of PostgreSQL as text, without a text's quotes."""
    return value.op("#>>", return_type=Text())(literal_column("'{}'"))


def _of_entry(column: ColumnElement, name: str, read: Callable[[Any], Elements]) -> Elements:
    """What `read` makes of the entry with this name in a JSON object of SQLite."""
    entry = func.json_each(column).table_valued("key", "value", "type", name="entry")
    found = [select(what).select_from(entry).where(entry.c.key == name).correlate(_table) for what in read(entry.c)]
    return [query.scalar_subquery() for query in found]


# cursors


def _after(order: list[Column], at: list[Any]) -> ColumnElement:
    """What comes after the place `at`, by the order: missing values are last."""
    if len(at) != len(order):
        raise BadQuery("'cursor' does not belong to this 'sort'")
    condition: ColumnElement = false()
    for (expression, descending), value in reversed(list(zip(order, at, strict=True))):
        if value is None:
            condition = and_(expression.is_(None), condition)
            continue
        beyond = expression < value if descending else expression > value
        condition = or_(beyond, expression.is_(None), and_(expression == value, condition))
    return condition


def write_cursor(place: Place, sort: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode({**place._asdict(), "sort": sort})).decode().rstrip("=")


def read_cursor(cursor: str, sort: str) -> Place:
    """Raises BadQuery for a cursor that belongs to another sort, or that nobody gave."""
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(place["now"], float) or not all(map(_is_place, place["at"])):
            raise TypeError
        its_sort = place["sort"]
    except (ValueError, TypeError, KeyError, binascii.Error, msgspec.DecodeError):
        raise BadQuery("'cursor' is not one that this server gave") from None
    if its_sort != sort:
        raise BadQuery("'cursor' does not belong to this 'sort'")
    return Place(place["at"], place["now"])


def _is_place(value: Any) -> bool:
    """Whether the value may stand in a cursor: what a column to sort by holds."""
    if type(value) is int:
        return INT64_MIN <= value <= INT64_MAX
    return value is None or type(value) in (str, float)
