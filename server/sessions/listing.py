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
from . import change_numbers, progress, sorting
from .best import best_values
from .places import CURRENT, is_in

LIMIT = 50
MAX_LIMIT = 1_000
MAX_FAILURE_CHARS = 300
MAX_NOTE_CHARS = 10_000
MAX_LISTED_NOTE_CHARS = 300

_columns = Session.__table__.c
_hidden = ("search", "pace", "rewinds", "kept", "marked", "steps_at", "summary_states", "next_sequence", "tag_edits")
_shown = [column for column in _columns if column.name not in _hidden]
graph_columns = [
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
    place: str = CURRENT,
    sort: str | None = None,
    with_counts: bool = True,
    best: Sequence[str] = (),
    offset: float = 0.0,
) -> dict[str, Any]:
    """A page of the sessions of some projects.

    Args:
        projects: their ids.
        cursor: `next` of the page before; None for the first page.
        q: a query, see docs/queries.md; words must occur in a session's tag, group, tags, params or note.
        status: only sessions with this status.
        place: where the sessions are, one of PLACES.
        sort: see sorting.read_page; the newest first if it is empty.
        with_counts: count the sessions that match, which costs a query over all of them.
        best: statistics such as "min(val_loss)", whose best values over the sessions that match are added.
        offset: seconds that the clock of who asks is ahead of UTC, for dates in the query.

    Returns:
        {"sessions", "next", "cursor"}: `cursor` continues with what changes from now on (changed_sessions.py); with
        counts also "total" and "counts" (by status, whatever `status` is); "best" (see best.best_values) if statistics
        are named.

    Raises:
        ApiError: with 400, for a sort, status, place, cursor or statistic that does not exist; for a query that cannot
            be understood, with its `start` and `end`.
    """
    check_status(status)
    within = _matching(connection, projects, place, q or "", offset)
    # before the status narrows the query: the filters above the table show how many sessions each would give
    counts = _counts(connection, within) if with_counts else {}
    if status:
        within = and_(within, _columns.status == status)
    # first the keys in order, then the rows of that page alone: sorting whole rows would read all their JSON
    page = sorting.read_page(connection, within, sort or "-created_at", cursor, limit)
    if not page.has_values:
        sorting.raise_if_unknown(connection, _columns.project_id.in_(projects), sort or "")
    result: dict[str, Any] = {
        "sessions": read_rows(connection, page.keys),
        "next": write_cursor(page.cursor) if page.cursor else None,
        "cursor": write_cursor(change_numbers.current_cursor(connection, projects)),
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


def find_keys(
    connection: Connection, projects: Sequence[int], place: str, q: str, status: str | None, offset: float
) -> list[int]:
    """The keys of all sessions that `list_sessions` gives for these arguments; it raises the same errors."""
    check_status(status)
    within = matching_sessions(connection, projects, place, q, status, offset)
    return list(connection.execute(select(_columns.key).where(within)).scalars())


def matching_sessions(
    connection: Connection, projects: Sequence[int], place: str, q: str, status: str | None, offset: float
) -> ColumnElement[bool]:
    """The SQL condition for the sessions that `list_sessions` gives for these arguments."""
    within = _matching(connection, projects, place, q, offset)
    return and_(within, _columns.status == status) if status else within


def check_status(status: str | None) -> None:
    """Raise ApiError (400) for a status that does not exist."""
    if status and status not in STATUSES:
        raise ApiError(400, "bad_request", f"'status' is one of {', '.join(STATUSES)}, not {status[:40]!r}")


def _matching(
    connection: Connection, projects: Sequence[int], place: str, q: str, offset: float
) -> ColumnElement[bool]:
    within = and_(_columns.project_id.in_(projects), is_in(place))
    return matching_query(connection, within, q, offset)


def matching_query(connection: Connection, within: ColumnElement[bool], q: str, offset: float) -> ColumnElement[bool]:
    """The SQL condition for the sessions that match `within` and a query; see `list_sessions`."""
    try:
        node = parse(q)
        return within if node is None else matching(Context(connection, time.time(), offset), within, node)
    except BadQuery as error:
        raise bad_query(error) from None


def bad_query(error: BadQuery) -> ApiError:
    """What a request gets for a query that cannot be understood."""
    return ApiError(400, "bad_query", error.message, start=error.start, end=error.end)


def row_query(where: ColumnElement[bool]) -> Select[Any]:
    return select(*_shown, Project.name.label("project")).join(Project, Project.id == _columns.project_id).where(where)


def read_rows(connection: Connection, keys: Sequence[int]) -> list[dict[str, Any]]:
    """The sessions with these keys as the list shows them, in this order."""
    rows = {row.key: row for row in connection.execute(row_query(_columns.key.in_(keys)))}
    return _rows_json(connection, [rows[key] for key in keys if key in rows])


def read_session_row(connection: Connection, session_id: str, whole_note: bool = False) -> dict[str, Any] | None:
    """One session as the list shows it; None if there is no such session."""
    rows = connection.execute(row_query(_columns.id == session_id)).all()
    return _rows_json(connection, rows, whole_note)[0] if rows else None


def _rows_json(connection: Connection, rows: Sequence[Row[Any]], whole_notes: bool = False) -> list[dict[str, Any]]:
    """Sessions as the API gives them, with a fixed number of queries."""
    graphs: dict[int, list[Any]] = {row.key: [] for row in rows}
    session_key, number, *_ = graph_columns
    query = select(*graph_columns).where(session_key.in_(graphs)).order_by(session_key, number)
    for graph in connection.execute(query):
        graphs[graph.session_key].append(graph)
    errors = failures(connection, rows)
    return [_row_json(row, graphs[row.key], errors.get(row.key), whole_notes) for row in rows]


def failures(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, str]:
    """The error of each of these sessions that has failed with one, by its key, as a line."""
    keys = [row.key for row in rows if row.status == "failed"]
    if not keys:
        return {}
    table = SessionMetadata.__table__
    found = connection.execute(select(table.c.session_key, table.c.error).where(table.c.session_key.in_(keys)))
    return {key: _cut(_failure(shallow(error)), MAX_FAILURE_CHARS) for key, error in found if error}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _failure(error: Mapping[str, Any]) -> str:
    return f"{error.get('type') or ''}: {error.get('message') or ''}".strip(": ")


def _row_json(row: Row[Any], graphs: list[Any], failure: str | None, whole_note: bool) -> dict[str, Any]:
    return {
        **scalars(row, failure, whole_note),
        "params": shallow(row.params),
        "values": shallow(row.values),
        "stats": row.stats,
        "graphs": [_graph_json(graph, row.graph_stats.get(str(graph.number), {})) for graph in graphs],
    }


def scalars(row: Row[Any], failure: str | None, whole_note: bool = False) -> dict[str, Any]:
    """A session as the list shows it, without what may be large.

    Args:
        row: of `row_query`.
        failure: see `failures`.
    """
    return {
        "id": row.id,
        "tag": row.tag,
        "own_tag": row.own_tag,
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
        "project_id": row.project_id,
        "group": row.group_name,
        "commit": row.git_commit,
        "branch": row.git_branch,
        "host": row.host,
        "user": row.user_name,
        "tags": row.tags,
        "note": _cut(row.note, MAX_NOTE_CHARS if whole_note else MAX_LISTED_NOTE_CHARS),
        "note_version": row.note_version,
        "starred": row.starred,
        "archived_at": row.archived_at,
        "deleted_at": row.deleted_at,
        "version": row.version,
        "change": row.change,
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
