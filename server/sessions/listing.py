"""The list of sessions: filtered, sorted and paged by the database, as the read API and the table show them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select
from sqlalchemy.sql.elements import ColumnElement

from losswise.protocol.limits import STATUSES

from ..db.json_depth import shallow
from ..db.keyset import write_cursor
from ..db.models import Graph, Project, Session, SessionMetadata
from ..exceptions import ApiError
from ..query.conditions import Context, matching
from ..query.parser import BadQuery, parse
from . import progress, sorting
from .best import best_values

LIMIT = 50
MAX_LIMIT = 1_000
MAX_FAILURE_CHARS = 300

_columns = Session.__table__.c
_hidden = ("search", "pace", "rewinds", "kept", "marked", "steps_at", "summary_states", "next_sequence")
_shown = [column for column in _columns if column.name not in _hidden]
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
    status: str | None = None,
    sort: str | None = None,
    with_counts: bool = True,
    best: Sequence[str] = (),
    offset: float = 0.0,
) -> dict[str, Any]:
    """A page of the sessions of some projects.

    Args:
        projects: their ids.
        cursor: `next` of the page before; None for the first page.
        q: a query, see docs/queries.md; words must occur in a session's tag, group, tags or params.
        status: only sessions with this status.
        sort: see sorting.read_page; the newest first if it is empty.
        with_counts: count the sessions that match, which costs a query over all of them.
        best: statistics such as "min(val_loss)", whose best values over the sessions that match are added.
        offset: seconds that the clock of who asks is ahead of UTC, for dates in the query.

    Returns:
        {"sessions", "next"}; with counts also "total" and "counts" (by status, whatever `status` is); "best" (see
        best.best_values) if statistics are named.

    Raises:
        ApiError: with 400, for a sort, status, cursor or statistic that does not exist; for a query that cannot be
            understood, with its `start` and `end`.
    """
    if status and status not in STATUSES:
        raise ApiError(400, "bad_request", f"'status' is one of {', '.join(STATUSES)}, not {status[:40]!r}")
    within = _matching(connection, _columns.project_id.in_(projects), q or "", offset)
    # before the status narrows the query: the filters above the table show how many sessions each would give
    counts = _counts(connection, within) if with_counts else {}
    if status:
        within = and_(within, _columns.status == status)
    # first the keys in order, then the rows of that page alone: sorting whole rows would read all their JSON
    page = sorting.read_page(connection, within, sort or "-created_at", cursor, limit)
    if not page.has_values:
        sorting.raise_if_unknown(connection, _columns.project_id.in_(projects), sort or "")
    rows = {row.key: row for row in connection.execute(_rows(_columns.key.in_(page.keys)))}
    result: dict[str, Any] = {
        "sessions": _rows_json(connection, [rows[key] for key in page.keys]),
        "next": write_cursor(page.cursor) if page.cursor else None,
    }
    if with_counts:
        result["total"] = counts[status] if status else sum(counts.values())
        result["counts"] = counts
    if best:
        result["best"] = best_values(connection, within, best)
    return result


def _counts(connection: Connection, within: ColumnElement[bool]) -> dict[str, int]:
    """Return the number of sessions by status."""
    query = select(_columns.status, func.count()).where(within).group_by(_columns.status)
    return dict.fromkeys(STATUSES, 0) | dict(connection.execute(query).all())


def _matching(connection: Connection, within: ColumnElement[bool], q: str, offset: float) -> ColumnElement[bool]:
    try:
        node = parse(q)
        return within if node is None else matching(Context(connection, time.time(), offset), within, node)
    except BadQuery as error:
        raise bad_query(error) from None


def bad_query(error: BadQuery) -> ApiError:
    """What a request gets for a query that cannot be understood."""
    return ApiError(400, "bad_query", error.message, start=error.start, end=error.end)


def _rows(where: ColumnElement[bool]) -> Select[Any]:
    return select(*_shown, Project.name.label("project")).join(Project, Project.id == _columns.project_id).where(where)


def read_session_row(connection: Connection, session_id: str) -> dict[str, Any] | None:
    """One session as the list shows it; None if there is no such session."""
    rows = connection.execute(_rows(_columns.id == session_id)).all()
    return _rows_json(connection, rows)[0] if rows else None


def _rows_json(connection: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Sessions as the API gives them, with a fixed number of queries."""
    graphs: dict[int, list[Any]] = {row.key: [] for row in rows}
    session_key, number, *_ = _graph_shown
    query = select(*_graph_shown).where(session_key.in_(graphs)).order_by(session_key, number)
    for graph in connection.execute(query):
        graphs[graph.session_key].append(graph)
    failures = _failures(connection, [row.key for row in rows if row.status == "failed"])
    return [_row_json(row, graphs[row.key], failures.get(row.key)) for row in rows]


def _failures(connection: Connection, keys: list[int]) -> dict[int, str]:
    """The error of each of these sessions that has one, as a line."""
    if not keys:
        return {}
    table = SessionMetadata.__table__
    rows = connection.execute(select(table.c.session_key, table.c.error).where(table.c.session_key.in_(keys)))
    lines = {key: _failure(shallow(error)) for key, error in rows if error}
    return {
        key: line if len(line) <= MAX_FAILURE_CHARS else line[: MAX_FAILURE_CHARS - 1] + "…"
        for key, line in lines.items()
    }


def _failure(error: Mapping[str, Any]) -> str:
    return f"{error.get('type') or ''}: {error.get('message') or ''}".strip(": ")


def _row_json(row: Row[Any], graphs: list[Any], failure: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "tag": row.tag,
        "status": row.status,
        "reason": row.reason,
        "failure": failure,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "heard_at": row.last_seen_at,
        "ended_at": row.ended_at,
        "max_iter": row.max_iter,
        "progress": progress.progress(row.status, row.last_x, row.max_iter),
        "eta": row.eta,
        "last_x": row.last_x,
        "steps": row.steps,
        "points": row.points,
        "dropped": row.dropped,
        "refused": row.refused,
        "project": row.project,
        "group": row.group_name,
        "commit": row.git_commit,
        "branch": row.git_branch,
        "host": row.host,
        "user": row.user_name,
        "tags": row.tags,
        "params": shallow(row.params),
        "values": shallow(row.values),
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
