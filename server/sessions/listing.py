"""The list of sessions: filtered, sorted and paged by the database, as the read API and the table show them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select
from sqlalchemy.sql.elements import ColumnElement

from ..db.models import Graph, Project, Session, SessionFacts
from . import progress, sorting, status
from .best import best_values
from .sorting import BadQuery

LIMIT = 50
LIMIT_MOST = 1_000
FAILURE = 300
"""Characters that a list shows of what a session failed with."""
STATUSES = ("active", "complete", "failed", "cancelled")

_table = Session.__table__
_columns = _table.c
_shown = [column for column in _columns if column.name not in ("search", "pace", "rewinds", "seals", "arrivals")]
_graph_shown = [
    Graph.__table__.c[name] for name in ("session_key", "number", "id", "title", "kind", "xlabel", "ylabel")
]


def list_sessions(
    connection: Connection,
    projects: Sequence[int],
    *,
    limit: int = LIMIT,
    cursor: str | None = None,
    q: str | None = None,
    status_: str | None = None,
    sort: str | None = None,
    best: Sequence[str] = (),
) -> dict[str, Any]:
    """A page of the sessions of some projects: {"sessions", "next", "total", "counts"}.

    `best` names statistics such as "min(val_loss)"; their values over all sessions of the filter are added as "best".

    Raises BadQuery for a sort, status, cursor or name of a statistic that cannot be understood.
    """
    sort = sort or "-created_at"
    place = sorting.read_cursor(cursor, sort) if cursor else None
    now = place.now if place else time.time()
    if status_ and status_ not in STATUSES:
        raise BadQuery(f"'status' is one of {', '.join(STATUSES)}, not {status_[:40]!r}")
    within = and_(_columns.project_id.in_(projects), *_matches(q))
    counts = _counts(connection, within, now)
    if status_:
        within = and_(within, sorting.shown_status(now) == status_)
    keys = sorting.page(connection, within, sort, now, place, limit + 1)
    shown = keys[:limit]
    rows = {row.key: row for row in connection.execute(_rows([key for key, _ in shown]))}
    return {
        "sessions": rows_json(connection, [rows[key] for key, _ in shown], time.time()),
        "next": sorting.write_cursor(shown[-1][1], sort) if len(keys) > limit else None,
        "total": counts[status_] if status_ else sum(counts.values()),
        "counts": counts,
        **({"best": best_values(connection, within, best)} if best else {}),
    }


def _counts(connection: Connection, within: ColumnElement, now: float) -> dict[str, int]:
    """How many sessions have which status."""
    found = sorting.once([sorting.shown_status(now)], within)
    query = select(found.c.read_0, func.count()).group_by(found.c.read_0)
    return dict.fromkeys(STATUSES, 0) | dict(connection.execute(query).tuples().all())


def _matches(q: str | None) -> list[ColumnElement]:
    """Every word of the search must stand in the tag, the params or the group."""
    return [_columns.search.contains(word, autoescape=True) for word in (q or "").lower().split()[:20]]


def _rows(keys: list[int]) -> Select[Any]:
    return select(*_shown).where(_columns.key.in_(keys))


def read_session_row(connection: Connection, session_id: str, now: float) -> dict[str, Any] | None:
    """One session as the list shows it."""
    rows = connection.execute(select(*_shown).where(_columns.id == session_id)).all()
    return rows_json(connection, rows, now)[0] if rows else None


def rows_json(connection: Connection, rows: Sequence[Row[Any]], now: float) -> list[dict[str, Any]]:
    """Sessions as the API gives them."""
    graphs: dict[int, list[Any]] = {row.key: [] for row in rows}
    session_key, number, *_ = _graph_shown
    query = select(*_graph_shown).where(session_key.in_(graphs)).order_by(session_key, number)
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
        "progress": progress.progress(shown, row.last_x, row.max_iter),
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
