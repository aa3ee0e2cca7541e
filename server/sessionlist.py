"""The list of sessions: filtered, sorted and paged by the database, as the read API and the table show them."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Float,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import ColumnElement

from losswise.records import INT64_MAX, INT64_MIN

from . import statistics, status
from .database import is_sqlite
from .models import Graph, Project, Session, SessionFacts

LIMIT = 50
LIMIT_MOST = 1_000
FAILURE = 300
"""Characters that a list shows of what a session failed with."""

_table = Session.__table__
_columns = _table.c
_STAT = re.compile(r"(min|max|last|count)\((.+)\)", re.DOTALL)


class BadQuery(ValueError):
    """A question that cannot be understood; the message says why."""


Column = tuple[ColumnElement, bool]


def list_sessions(
    connection: Connection,
    projects: Sequence[int],
    *,
    limit: int = LIMIT,
    cursor: str | None = None,
    q: str | None = None,
    status_: str | None = None,
    sort: str | None = None,
) -> dict[str, Any]:
    """A page of the sessions of some projects: {"sessions", "next", "total", "counts"}.

    Raises BadQuery for a sort, status or cursor that cannot be understood.
    """
    sort = sort or "-created_at"
    place = _read_cursor(cursor, sort) if cursor else None
    now = place["now"] if place else time.time()
    shown = _shown_status(now)
    within = and_(_columns.project_id.in_(projects), *_matches(q))
    counts = dict.fromkeys(("active", "complete", "failed", "cancelled"), 0)
    counts.update(connection.execute(select(shown, func.count()).where(within).group_by(shown)).tuples().all())
    if status_:
        if status_ not in counts:
            raise BadQuery(f"'status' is one of {', '.join(counts)}, not {status_[:40]!r}")
        within = and_(within, shown == status_)
    order = _order(connection, sort, now)
    query = select(_table, *(expression.label(f"sort_{n}") for n, (expression, _) in enumerate(order)))
    query = query.where(within)
    if place:
        query = query.where(_after(order, place["at"]))
    rows = connection.execute(_ordered(query, order).limit(limit + 1)).all()
    more = len(rows) > limit
    rows = rows[:limit]
    at = [getattr(rows[-1], f"sort_{n}") for n in range(len(order))] if rows else []
    return {
        "sessions": rows_json(connection, rows, time.time()),
        "next": _write_cursor(at, now, sort) if more else None,
        "total": counts[status_] if status_ else sum(counts.values()),
        "counts": counts,
    }


def read_session_row(connection: Connection, session_id: str, now: float) -> dict[str, Any] | None:
    """One session as the list shows it."""
    rows = connection.execute(select(_table).where(_columns.id == session_id)).all()
    return rows_json(connection, rows, now)[0] if rows else None


def rows_json(connection: Connection, rows: Sequence[Row[Any]], now: float) -> list[dict[str, Any]]:
    """Sessions as the API gives them."""
    graphs: dict[int, list[Any]] = {row.key: [] for row in rows}
    table = Graph.__table__
    query = select(table).where(table.c.session_key.in_(graphs)).order_by(table.c.session_key, table.c.number)
    for graph in connection.execute(query):
        graphs[graph.session_key].append(graph)
    names = dict(
        connection.execute(select(Project.id, Project.name).where(Project.id.in_({row.project_id for row in rows})))
        .tuples()
        .all()
    )
    failures = _failures(connection, [row.key for row in rows if row.status == "failed"])
    return [_row_json(row, graphs[row.key], names.get(row.project_id, ""), failures.get(row.key), now) for row in rows]


def _failures(connection: Connection, keys: list[int]) -> dict[int, str]:
    """What each of these sessions failed with, as a line."""
    if not keys:
        return {}
    table = SessionFacts.__table__
    rows = connection.execute(select(table.c.session_key, table.c.error).where(table.c.session_key.in_(keys)))
    lines = {
        key: f"{error.get('type') or ''}: {error.get('message') or ''}".strip(": ") for key, error in rows if error
    }
    return {key: line if len(line) <= FAILURE else line[: FAILURE - 1] + "…" for key, line in lines.items()}


def _row_json(row: Row[Any], graphs: list[Any], project: str, failure: str | None, now: float) -> dict[str, Any]:
    shown, reason, ended_at = status.shown(row, now)
    return {
        "id": row.id,
        "tag": row.tag,
        "status": shown,
        "reason": reason,
        "failure": failure if shown == "failed" else None,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "heard_at": row.heard_at,
        "ended_at": ended_at,
        "max_iter": row.max_iter,
        "progress": statistics.progress(shown, row.last_x, row.max_iter),
        "eta": row.eta if shown == "active" else None,
        "last_x": row.last_x,
        "points": row.points,
        "dropped": row.dropped,
        "project": project,
        "group": row.group_name,
        "tags": row.tags,
        "params": row.params,
        "values": row.values,
        "stats": row.stats,
        "graphs": [_graph_json(graph, row.graph_stats.get(str(graph.number), {})) for graph in graphs],
        "version": row.version,
        "protocol": row.protocol,
    }


def _graph_json(graph: Any, stats: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": graph.id,
        "title": graph.title,
        "kind": graph.kind,
        "xlabel": graph.xlabel,
        "ylabel": graph.ylabel,
        "names": list(stats),
        "stats": stats,
    }


# what is shown, and the order


def _shown_status(now: float) -> ColumnElement:
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
    silent = and_(_columns.status == "active", _columns.heard_at < _silent_before(now))
    return silent, _columns.heard_at <= _columns.end_heard_at + status.WITH_THE_OTHERS


def _silent_before(now: float) -> float:
    return max(status.silent_before(now), -1e18)


def _matches(q: str | None) -> list[ColumnElement]:
    """Every word of the search must stand in the tag, the params or the group."""
    return [_columns.search.contains(word, autoescape=True) for word in (q or "").lower().split()[:20]]


def _order(connection: Connection, sort: str, now: float) -> list[Column]:
    """(expression, descending) by which to sort; the last is the key, which no two sessions share."""
    descending = sort.startswith("-")
    name = sort[1:] if descending else sort
    done = case(
        (_shown_status(now) == "complete", 1.0),
        (_columns.max_iter.is_(None), null()),
        else_=cast(func.coalesce(_columns.last_x, -1) + 1, Float(53)) / _columns.max_iter,
    )
    plain: dict[str, ColumnElement] = {
        "id": _columns.id,
        "tag": func.lower(_columns.tag),
        "status": _shown_status(now),
        "created_at": _columns.created_at,
        "updated_at": _columns.updated_at,
        "max_iter": _columns.max_iter,
        "last_x": _columns.last_x,
        "points": _columns.points,
        "eta": case((_shown_status(now) == "active", _columns.eta)),
        "group": _columns.group_name,
        "progress": done,
        "elapsed": _shown_end(now) - _columns.created_at,
    }
    stat = _STAT.fullmatch(name)
    if name in plain:
        expressions = [plain[name]]
    elif stat:
        expressions = [_number_in(connection, "stats", stat[2], stat[1])]
    elif name.startswith(("params.", "values.")):
        column, _, path = name.partition(".")
        expressions = _any_in(connection, column, path)
    else:
        raise BadQuery(f"'sort' cannot be {name[:60]!r}; it is a column or, for example, min(train_loss)")
    return [*((expression, descending) for expression in expressions), (_columns.key, True)]


def _number_in(connection: Connection, column: str, name: str, field: str) -> ColumnElement:
    """A statistic out of the session's JSON, None where it is not a finite number."""
    if not is_sqlite(connection):
        value = _columns[column][name][field]
        is_number = func.jsonb_typeof(cast(value, JSONB)) == "number"
        return case((is_number, cast(value.as_string(), Float(53))))
    entry = func.json_each(_columns[column]).table_valued("key", "value", name="entry")
    is_number = func.json_type(entry.c.value, f"$.{field}").in_(("real", "integer"))
    return (
        select(func.json_extract(entry.c.value, f"$.{field}", type_=Float(53)))
        .select_from(entry)
        .where(entry.c.key == name, is_number)
        .correlate(_table)
        .scalar_subquery()
    )


def _any_in(connection: Connection, column: str, name: str) -> list[ColumnElement]:
    """A param or value: numbers in their order, then texts in theirs."""
    if not is_sqlite(connection):
        value = _columns[column][name]
        kind = func.jsonb_typeof(cast(value, JSONB))
        return [
            case((kind == "number", cast(value.as_string(), Float(53)))),
            case((kind == "string", value.as_string())),
        ]
    entry = func.json_each(_columns[column]).table_valued("key", "atom", "type", name="entry")

    def atom(kinds: tuple[str, ...], type_: Any) -> ColumnElement:
        return (
            select(type_coerce(entry.c.atom, type_))
            .select_from(entry)
            .where(entry.c.key == name, entry.c.type.in_(kinds))
            .correlate(_table)
            .scalar_subquery()
        )

    return [atom(("real", "integer"), Float(53)), atom(("text",), Text())]


def _ordered(query: Select[Any], order: list[Column]) -> Select[Any]:
    for expression, descending in order:
        query = query.order_by(expression.is_(None), expression.desc() if descending else expression.asc())
    return query


# pages


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


def _write_cursor(at: list[Any], now: float, sort: str) -> str:
    place = {"at": at, "now": now, "sort": sort}
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _read_cursor(cursor: str, sort: str) -> dict[str, Any]:
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(place["now"], float) or not all(map(_is_place, place["at"])):
            raise TypeError
        its_sort = place["sort"]
    except (ValueError, TypeError, KeyError, binascii.Error, msgspec.DecodeError):
        raise BadQuery("'cursor' is not one that this server gave") from None
    if its_sort != sort:
        raise BadQuery("'cursor' does not belong to this 'sort'")
    return dict(place)


def _is_place(value: Any) -> bool:
    """Whether the value may stand in a cursor: what a column to sort by holds."""
    if type(value) is int:
        return INT64_MIN <= value <= INT64_MAX
    return value is None or type(value) in (str, float)
