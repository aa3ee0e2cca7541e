"""Entries of a session's JSON columns in SQL, on both databases: one param, value or statistic of every session.

A query over all sessions should open each row's wide JSON once only. So an entry has two halves: expressions that a
subquery extracts from the row, and expressions on that subquery's columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

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
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnElement

from .engine import is_sqlite
from .models import Session

Expression = ColumnElement[Any]

_table = Session.__table__
STATISTIC = re.compile(r"(min|max|last|count)\((.+)\)", re.DOTALL)
MAX_FLOAT_CHARS = 300
# Names that can be quoted in a JSON path of every SQLite version.
_PATH_SAFE = re.compile(r'[^"\\\x00-\x1f\x7f]+')


class Entry(NamedTuple):
    """An entry of a JSON column.

    Attributes:
        extracted: labelled expressions on the sessions table, for the subquery.
        number, text: given the subquery's columns, the entry as a float or a text; NULL where it is missing or of
            another type. Numbers that are not finite are stored as texts.
        literal: the same for "true" and "false".
        list: the same for a list, as its JSON text.
        json: the same for a list or an object.
        exists: whether there is an entry, and it is not null.
    """

    extracted: list[Any]
    number: Callable[[Any], Expression]
    text: Callable[[Any], Expression]
    literal: Callable[[Any], Expression]
    list: Callable[[Any], Expression]
    json: Callable[[Any], Expression]
    exists: Callable[[Any], Expression]


def entry(connection: Connection, column: Any, name: str, field: str | None = None, label: str = "value") -> Entry:
    """The entry with this name in a JSON column, or a field of that entry. Labels begin with `label`."""
    make = _entry_sqlite if is_sqlite(connection) else _entry_postgresql
    return make(column, name, field, label)


def nested_entry(connection: Connection, column: Any, path: Sequence[str], label: str) -> Entry | None:
    """An entry of objects in objects of a column that users write; None if SQLite cannot quote one of the names."""
    if not is_sqlite(connection):
        return _postgresql_entry_of(column[tuple(path)], func.json_typeof, True, label)
    if not all(map(_PATH_SAFE.fullmatch, path)):
        return None
    column, where = _valid(column), "$" + "".join(f'."{name}"' for name in path)
    return _sqlite_entry_of(func.json_extract(column, where), func.json_type(column, where), label)


def statistic(connection: Connection, metric: str, field: str, label: str = "value") -> Entry:
    """A statistic (`field` is min, max, last or count) of a metric."""
    return entry(connection, _table.c.stats, metric, field, label)


def extracted_rows(connection: Connection, within: ColumnElement[bool], entries: Iterable[Entry]) -> Subquery:
    """A subquery of the sessions that match `within`: `key`, and what the entries extract, computed once for a row."""
    return subquery_of(connection, within, [column for entry in entries for column in entry.extracted])


def subquery_of(connection: Connection, within: ColumnElement[bool], columns: Sequence[Any]) -> Subquery:
    """A subquery of the sessions that match `within`: `key` and these labelled expressions, computed once for a row."""
    # without OFFSET both databases would copy the expressions to every place where the outer query uses them
    statistics = [] if is_sqlite(connection) else [column for column in columns if _is_of_statistics(column)]
    if len(statistics) < 2:
        return select(_table.c.key, *columns).where(within).offset(0).subquery("extracted")
    # PostgreSQL decompresses the statistics again for each expression, but not the result of an expression
    others = [column for column in columns if column not in statistics]
    whole = _table.c.stats.op("||")(cast({}, _table.c.stats.type)).label("stats")
    rows = select(_table.c.key, *others, whole).where(within).offset(0).subquery("decompressed")

    def moved(element: Any, **_: Any) -> Any:
        return rows.c.stats if element is _table.c.stats else None

    found = [visitors.replacement_traverse(column, {}, moved) for column in statistics]
    return select(rows, *found).offset(0).subquery("extracted")


def _is_of_statistics(column: Any) -> bool:
    return any(part is _table.c.stats for part in visitors.iterate(column))


def _entry_postgresql(column: Any, name: str, field: str | None, label: str) -> Entry:
    if field is None:
        return _postgresql_entry_of(column[name], func.json_typeof, True, label)
    return _postgresql_entry_of(column[name][field], func.jsonb_typeof, False, label)


def _postgresql_entry_of(value: Expression, type_of: Any, is_written_by_users: bool, label: str) -> Entry:
    def as_text(columns: Any) -> Expression:
        """The JSON value as text, a string without its quotes."""
        return columns[label].op("#>>", return_type=Text())(literal_column("'{}'"))

    def is_number(columns: Any) -> Expression:
        is_number_ = type_of(columns[label]) == "number"
        if not is_written_by_users:
            return is_number_
        # an integer may have more digits than a float can hold
        return and_(is_number_, func.length(as_text(columns)) <= MAX_FLOAT_CHARS)

    return Entry(
        [value.label(label)],
        number=lambda columns: case((is_number(columns), cast(as_text(columns), Float(53)))),
        text=lambda columns: case((type_of(columns[label]) == "string", as_text(columns))),
        literal=lambda columns: case((type_of(columns[label]) == "boolean", as_text(columns))),
        list=lambda columns: case((type_of(columns[label]) == "array", as_text(columns))),
        json=lambda columns: case((type_of(columns[label]).in_(("array", "object")), as_text(columns))),
        exists=lambda columns: func.coalesce(type_of(columns[label]) != "null", false()),
    )


def _entry_sqlite(column: Any, name: str, field: str | None, label: str) -> Entry:
    value: Expression
    kind: Expression
    if field is None:
        column = _valid(column)
    if _PATH_SAFE.fullmatch(name):
        path = f'$."{name}"' if field is None else f'$."{name}".{field}'
        value, kind = func.json_extract(column, path), func.json_type(column, path)
    else:
        each = func.json_each(column).table_valued("key", "value", "type", name="entry")
        value, kind = each.c.value, each.c.type
        if field is not None:
            path = f"$.{field}"
            value, kind = func.json_extract(each.c.value, path), func.json_type(each.c.value, path)
        value, kind = (
            select(found).select_from(each).where(each.c.key == name).correlate(_table).scalar_subquery()
            for found in (value, kind)
        )

    # of what the server itself writes, the value tells its kind
    return _sqlite_entry_of(value, kind if field is None else None, label)


def _valid(column: Any) -> Expression:
    """A column that users write: SQLite raises an error for JSON that is nested more deeply than it reads."""
    return case((func.json_valid(column) == 1, column), else_="{}")


def _sqlite_entry_of(value: Expression, kind: Expression | None, label: str) -> Entry:
    def kind_of(columns: Any) -> Expression:
        return func.typeof(columns[label]) if kind is None else columns[f"{label}_kind"]

    def kind_in(columns: Any, *kinds: str) -> Expression:
        return kind_of(columns).in_(kinds)

    return Entry(
        [value.label(label)] if kind is None else [value.label(label), kind.label(f"{label}_kind")],
        number=lambda columns: case((kind_in(columns, "real", "integer"), type_coerce(columns[label], Float(53)))),
        text=lambda columns: case((kind_in(columns, "text"), type_coerce(columns[label], Text()))),
        literal=lambda columns: case((kind_in(columns, "true", "false"), kind_of(columns))),
        list=lambda columns: case((kind_in(columns, "array"), type_coerce(columns[label], Text()))),
        json=lambda columns: case((kind_in(columns, "array", "object"), type_coerce(columns[label], Text()))),
        exists=lambda columns: func.coalesce(kind_of(columns) != "null", false()),
    )
