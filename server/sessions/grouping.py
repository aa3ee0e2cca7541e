"""Groups of sessions that have a value in common: their numbers, and the mean, spread and best of statistics.

The database does all of it, in one query: it opens each session's JSON once, and gives back one page of groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Float,
    Integer,
    RowMapping,
    Subquery,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    select,
    true,
)
from sqlalchemy.sql.elements import ColumnElement

from losswise.protocol.limits import STATUSES

from ..db import json_entries
from ..db.engine import is_sqlite
from ..db.json_entries import STATISTIC
from ..db.keyset import SortColumn
from ..db.models import Session
from ..exceptions import ApiError
from ..query import columns
from ..query.entries import Entries, number_of_text
from ..query.nodes import Field
from .group_values import FIRST_DAY, LAST_DAY, MAX_CHARS, GroupValue, typed, whole_or_float
from .listing import check_status, matching_sessions
from .places import CURRENT

LIMIT, MAX_LIMIT, MAX_OFFSET = 100, 1_000, 100_000
MAX_STATISTICS = 30
MAX_SHOWN = 50
MAX_MAGNITUDE = 1e100
"""Statistics beyond it count as infinite: their squares would not fit into a float."""
UNGROUPED = ("elapsed", "progress")
"""Columns that change all the time, or have a value of their own for each session."""
KINDS = ("text", "boolean", "json")
DAY = 86_400

_columns = Session.__table__.c
Expression = ColumnElement[Any]


class Asked(NamedTuple):
    """What a page of groups shows, and in which order.

    Attributes:
        by: the field whose values make the groups.
        statistics: names such as "min(val_loss)".
        shown: fields, by a name, whose value is given where all sessions of a group have the same.
        sort: "value", "sessions", "updated" or a statistic, of which the means are compared; "-" before it for
            descending. Groups without one come last.
        limit, offset: how many groups, after how many others.
    """

    by: Field
    statistics: Sequence[str] = ()
    shown: Mapping[str, Field] = MappingProxyType({})
    sort: str = "value"
    limit: int = LIMIT
    offset: int = 0


def list_groups(
    connection: Connection,
    projects: Sequence[int],
    asked: Asked,
    *,
    q: str = "",
    status: str | None = None,
    place: str = CURRENT,
    clock: float = 0.0,
) -> dict[str, Any]:
    """A page of the groups of some projects' sessions.

    Args:
        projects: their ids.
        q, status, place: which sessions, as in listing.list_sessions.
        clock: seconds that the clock of who asks is ahead of UTC, for days and dates.

    Returns:
        {"by", "groups", "total": the number of all groups, "next": the offset of the next page or None}. See
        docs/api.md for a group. A session with several tags is in the group of each.

    Raises:
        ApiError: with 400, for a field that sessions cannot be grouped by, a statistic or a sort that does not exist,
            or as in listing.list_sessions.
    """
    check_status(status)
    _check(asked)
    within = matching_sessions(connection, projects, place, q, status, clock)
    by_statistic = asked.sort.removeprefix("-")
    statistics = list(dict.fromkeys(asked.statistics))
    if STATISTIC.fullmatch(by_statistic) and by_statistic not in statistics:
        statistics.append(by_statistic)
    rows = _rows(connection, within, asked, statistics, clock)
    found = connection.execute(_groups(rows, asked, statistics)).mappings().all()
    groups = found[: asked.limit]
    return {
        "by": asked.by.short,
        "groups": [_json(row, asked) for row in groups],
        "total": groups[0]["total"] if groups else 0,
        "next": asked.offset + asked.limit if len(found) > asked.limit else None,
    }


def _check(asked: Asked) -> None:
    if asked.by.kind == "column" and asked.by.name in UNGROUPED:
        raise ApiError(400, "bad_request", f"sessions cannot be grouped by {asked.by.name}")
    if len(asked.statistics) > MAX_STATISTICS or len(asked.shown) > MAX_SHOWN:
        message = f"name at most {MAX_STATISTICS} statistics as 'stat', and {MAX_SHOWN} fields as 'show'"
        raise ApiError(400, "bad_request", message)
    for name in asked.statistics:
        if not STATISTIC.fullmatch(name):
            raise ApiError(400, "bad_request", f"'stat' is a statistic such as min(train_loss), not {name[:60]!r}")
    sort = asked.sort.removeprefix("-")
    if sort not in ("value", "sessions", "updated") and not STATISTIC.fullmatch(sort):
        message = f"'sort' is value, sessions, updated or a statistic such as min(train_loss), not {sort[:60]!r}"
        raise ApiError(400, "bad_request", message)


class _Reader:
    """How a field is read: labelled expressions to extract, and then its number, word and kind.

    Attributes:
        extracted: as those of Entries.
    """

    def __init__(self, connection: Connection, field: Field, label: str, clock: float) -> None:
        self._connection, self._field, self._label, self._clock = connection, field, label, clock
        self._entries = None if field.kind == "column" else Entries(connection, field, label)
        if self._entries is not None:
            self.extracted = self._entries.extracted
        else:
            self.extracted = [columns.by_name(field.name, 0.0).label(label)]

    def read(self, rows: Any) -> tuple[Expression, Expression, Expression]:
        """The number, or else the text, and its place in KINDS; all NULL where there is no value."""
        if self._entries is None:
            return self._read_column(rows)
        text, word, json = (getattr(self._entries, name)(rows) for name in ("text", "literal", "json"))
        of_text = number_of_text(self._connection, text)
        number = case((text.isnot(None), of_text), else_=cast(self._entries.number(rows), Float(53)))
        kind = case((text.isnot(None), 0), (word.isnot(None), 1), (json.isnot(None), 2))
        return number, func.coalesce(text, word, json), kind

    def _read_column(self, rows: Any) -> tuple[Expression, Expression, Expression]:
        column, name = rows[self._label], self._field.name
        nothing = cast(null(), Float(53))
        if name == "starred":
            return nothing, case((column.is_(true()), "true"), else_="false"), literal(1)
        if name in columns.TEXTS or name == "tags":
            text = column if name == "tags" else func.nullif(column, "")
            return nothing, text, literal(0)
        number = cast(column, Float(53))
        return self._day(number) if name in columns.TIMES else number, cast(null(), Text()), literal(0)

    def _day(self, seconds: Expression) -> Expression:
        days = (seconds + self._clock) / DAY
        bounded = case((days < FIRST_DAY, FIRST_DAY), (days > LAST_DAY, LAST_DAY), else_=days)
        # SQLite may lack floor(), but its integers are cut
        whole = cast(bounded, Integer) if is_sqlite(self._connection) else func.floor(bounded)
        return cast(whole, Float(53))


def _rows(
    connection: Connection, within: Expression, asked: Asked, statistics: Sequence[str], clock: float
) -> Subquery:
    """A row for each session and group: `status`, `updated`, `number`, `text`, `is_long`, `kind`, and numbered
    `statistic_` and `shown_` columns."""
    by = _Reader(connection, asked.by, "by", clock)
    shown = [_Reader(connection, field, f"show_{index}", clock) for index, field in enumerate(asked.shown.values())]
    parts = [STATISTIC.fullmatch(name) for name in statistics]
    entries = [
        json_entries.statistic(connection, part[2], part[1], f"stat_{index}")
        for index, part in enumerate(parts)
        if part is not None
    ]
    extracted = [
        _columns.status.label("status"),
        _columns.updated_at.label("updated"),
        *by.extracted,
        *(column for reader in shown for column in reader.extracted),
        *(column for entry in entries for column in entry.extracted),
    ]
    rows: Any = json_entries.subquery_of(connection, within, extracted)
    source: Any = rows.c
    if asked.by == Field("column", "tags"):
        tags = columns.each_tag(connection, rows.c.by, or_null=True)
        rows = rows.join(tags, true())
        source = {**dict(source.items()), "by": tags.c.value}
    number, word, kind = by.read(source)
    read = [source["status"], source["updated"], number.label("number"), word.label("word"), kind.label("kind")]
    for index, reader in enumerate(shown):
        names = ("number", "word", "kind")
        read += [part.label(f"shown_{name}_{index}") for name, part in zip(names, reader.read(source), strict=True)]
    for index, entry in enumerate(entries):
        value = entry.number(source)
        read.append(case((func.abs(value) <= MAX_MAGNITUDE, value)).label(f"statistic_{index}"))
    # without OFFSET a database would compute these again wherever they are used
    found = select(*read).select_from(rows).offset(0).subquery("read")
    word = case((found.c.number.is_(None), found.c.word))
    return select(
        *(column for column in found.c if column.name != "word"),
        func.substr(word, 1, MAX_CHARS).label("text"),
        case((func.length(word) > MAX_CHARS, 1), else_=0).label("is_long"),
    ).subquery("valued")


def _groups(rows: Subquery, asked: Asked, statistics: Sequence[str]) -> Any:
    """One page of groups, and one more row if there are others."""
    c = rows.c
    sessions = func.count()
    updated = func.max(c.updated)
    found: list[Any] = [c.number, c.text, c.is_long, func.min(c.kind).label("kind"), sessions.label("sessions")]
    found += [func.sum(case((c.status == status, 1), else_=0)).label(f"status_{status}") for status in STATUSES]
    found += [updated.label("updated"), func.count().over().label("total")]
    means = {}
    for index, name in enumerate(statistics):
        value = c[f"statistic_{index}"]
        means[name] = func.avg(value)
        measures = {
            "n": func.count(value),
            "mean": means[name],
            "sd": func.stddev_samp(value),
            "min": func.min(value),
            "max": func.max(value),
        }
        found += [measure.label(f"{what}_{index}") for what, measure in measures.items()]
    for index in range(len(asked.shown)):
        found += _same_columns(c, index)
    is_descending = asked.sort.startswith("-")
    sort = asked.sort.removeprefix("-")
    by_value: list[Expression] = [c.number, c.text, c.is_long]
    orders: dict[str, list[Expression]] = {"value": by_value, "sessions": [sessions], "updated": [updated]}
    first = orders[sort] if sort in orders else [means[sort]]
    order = [SortColumn(expression, is_descending) for expression in first]
    if sort != "value":
        order += [SortColumn(expression) for expression in by_value]
    query = select(*found).group_by(c.number, c.text, c.is_long)
    for column in order:
        query = query.order_by(*column.order_by())
    return query.limit(asked.limit + 1).offset(asked.offset)


def _same_columns(c: Any, index: int) -> list[Expression]:
    """The value of a shown field, if all sessions of a group have the same."""
    number, word, kind = (c[f"shown_{name}_{index}"] for name in ("number", "word", "kind"))
    word = case((number.is_(None), word))
    are_numbers = and_(func.count(number) == func.count(), func.min(number) == func.max(number))
    are_words = and_(func.count(word) == func.count(), func.min(word) == func.max(word))
    return [
        case((are_numbers, func.min(number))).label(f"same_number_{index}"),
        case((are_words, func.substr(func.min(word), 1, MAX_CHARS))).label(f"same_text_{index}"),
        func.min(kind).label(f"same_kind_{index}"),
    ]


def _json(row: RowMapping, asked: Asked) -> dict[str, Any]:
    number, text = row["number"], row["text"]
    kind = "number" if number is not None else None if text is None else KINDS[row["kind"]]
    return {
        **GroupValue(number, text, bool(row["is_long"]), kind).json(asked.by),
        "sessions": row["sessions"],
        "counts": {status: int(row[f"status_{status}"]) for status in STATUSES},
        "updated_at": row["updated"],
        "stats": {name: _measures(row, index, name) for index, name in enumerate(dict.fromkeys(asked.statistics))},
        "same": {name: value for index, name in enumerate(asked.shown) if (value := _same(row, index)) is not None},
    }


def _measures(row: RowMapping, index: int, name: str) -> dict[str, Any]:
    found = {what: row[f"{what}_{index}"] for what in ("n", "mean", "sd", "min", "max")}
    # the smallest of the minima, the greatest of the maxima: of other statistics none is the best
    return {**found, "best": found[name[:3]] if name.startswith(("min(", "max(")) else None}


def _same(row: RowMapping, index: int) -> Any:
    number, text, kind = (row[f"same_{what}_{index}"] for what in ("number", "text", "kind"))
    if number is not None:
        return whole_or_float(number)
    return None if text is None else typed(KINDS[kind], text)
