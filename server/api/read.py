"""The read API: the list of sessions, one session, raw points, and series for charts."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response, request
from sqlalchemy import select

from losswise.protocol.records import is_id, storable_text

from ..accounts.permissions import Access
from ..db.engine import reading
from ..db.keyset import Int64, read_cursor, write_cursor
from ..db.models import Graph, Project, Session
from ..exceptions import ApiError
from ..extensions import db
from ..points import series, store
from ..points.summaries import SummaryState
from ..sessions import listing
from ..sessions.change_numbers import Cursor
from ..sessions.changed_sessions import read_changes
from ..sessions.details import with_details
from ..sessions.places import CURRENT
from .finished import finished_tag, is_known, tagged
from .requests import (
    MAX_OFFSET_S,
    json_response,
    read_query,
    require_access,
    selected_projects,
    session_key,
    whole_number,
)

bp = Blueprint("read", __name__, url_prefix="/api/v2")

POINTS_LIMIT, MAX_POINTS_LIMIT = 10_000, 100_000
MAX_NAMED = 200  # sessions, as the next
MAX_GRAPHS = 200  # their ids fit into a request line (cli/wsgi.py)
MAX_VALUES = 2_000_000  # rows times names in a response: about 100 MB of JSON
DEFAULT_WIDTH = 1_000  # pixels
_PointsCursor = tuple[Int64, Int64]  # x and sequence number of the last point


class NamedQuery(msgspec.Struct):
    """The ids of sessions."""

    id: list[str] = []


@bp.get("/sessions")
def list_sessions() -> Response:
    projects = selected_projects(require_access())
    db.session.rollback()
    with reading() as connection:
        page = listing.list_sessions(
            connection,
            projects,
            limit=whole_number("limit", listing.LIMIT, 1, listing.MAX_LIMIT),
            cursor=request.args.get("cursor"),
            q=storable_text(request.args.get("q", "")),
            status=request.args.get("status"),
            place=request.args.get("in", CURRENT),
            sort=storable_text(request.args.get("sort", "")),
            with_counts=request.args.get("counts") != "0",
            best=[storable_text(name) for name in request.args.getlist("best")],
            offset=whole_number("utc_offset", 0, -MAX_OFFSET_S, MAX_OFFSET_S),
        )
    return json_response(page)


@bp.get("/sessions/changes")
def list_changes() -> Response:
    """What has changed in the list since `since`, a `cursor` of the list or of this; see sessions.changed_sessions."""
    projects = selected_projects(require_access())
    since = request.args.get("since")
    cursor = read_cursor(since, Cursor, "since") if since else None
    db.session.rollback()
    with reading() as connection:
        changes = read_changes(
            connection,
            projects,
            cursor,
            q=storable_text(request.args.get("q", "")),
            status=request.args.get("status"),
            place=request.args.get("in", CURRENT),
            offset=whole_number("utc_offset", 0, -MAX_OFFSET_S, MAX_OFFSET_S),
        )
    return json_response(changes)


@bp.get("/sessions/named")
def named_sessions() -> Response:
    """The sessions with these ids as the list has them; those that may not be read are left out."""
    ids = [id_ for id_ in dict.fromkeys(read_query(NamedQuery).id) if is_id(id_)]
    if len(ids) > MAX_NAMED:
        raise ApiError(400, "bad_request", f"name at most {MAX_NAMED} sessions as id=ID")
    projects = selected_projects(require_access())
    db.session.rollback()
    with reading() as connection:
        named = select(Session.key).where(Session.id.in_(ids), Session.project_id.in_(projects))
        rows = {row["id"]: row for row in listing.read_rows(connection, list(connection.scalars(named)))}
    return json_response({"sessions": [rows[id_] for id_ in ids if id_ in rows]})


@bp.get("/sessions/<session_id>")
def show_session(session_id: str) -> Response:
    key = session_key(session_id, require_access())
    db.session.rollback()
    with reading() as connection:
        row = listing.read_session_row(connection, session_id, whole_note=True)
        if row is None:
            raise ApiError(404, "unknown_session", "this session has just been deleted")
        session = with_details(connection, key, row)
    return json_response(session)


@bp.get("/graphs/<graph_id>/points")
def graph_points(graph_id: str) -> Response:
    """Raw points by x, in order of arrival where x is equal."""
    [(_, key, number)] = _find_graphs([graph_id], require_access())
    limit = whole_number("limit", POINTS_LIMIT, 1, MAX_POINTS_LIMIT)
    bound: dict[str, Any] = {}
    where = ""
    if request.args.get("cursor"):
        where = "AND (x > :x OR (x = :x AND sequence > :sequence))"
        bound["x"], bound["sequence"] = read_cursor(request.args["cursor"], _PointsCursor)
    db.session.rollback()
    with reading(in_order=True) as connection:
        ref = store.graph_ref(connection, key, number)
        limit = min(limit, max(1, MAX_VALUES // max(1, len(ref.names))))
        bound["most"] = limit + 1
        sequence, found = store.read(ref, where, "LIMIT :most", **bound)
    more = len(sequence) > limit
    cursor = write_cursor([int(found.x[limit - 1]), int(sequence[limit - 1])]) if more else None
    return json_response({"series": series.exact(found.where(slice(limit))), "next": cursor})


@bp.get("/series")
def chart_series() -> Response:
    """Return series of graphs from x0 to x1, for charts of `width` pixels. Has an ETag once no session is active."""
    ids = request.args.getlist("graph")
    if not ids or len(ids) > MAX_GRAPHS:
        raise ApiError(400, "bad_request", f"name 1 to {MAX_GRAPHS} graphs as graph=ID")
    graphs = _find_graphs(ids, require_access())
    x0, x1 = whole_number("x0"), whole_number("x1")
    width = max(series.MIN_WIDTH, whole_number("width", DEFAULT_WIDTH, 1, series.MAX_WIDTH))
    db.session.rollback()
    with reading(in_order=True) as connection:
        keys = {key for _, key, _ in graphs}
        sessions = {row.key: row for row in connection.execute(_STATES.where(Session.key.in_(keys)))}
        tag = finished_tag(list(sessions.values()))
        if is_known(tag):
            return tagged(Response(status=304), tag)
        refs = store.graph_refs(connection, [(key, number) for _, key, number in graphs])
        width = _width_within_bounds(width, sum(len(ref.names) for ref in refs.values()))
        result = {}
        for graph_id, key, number in graphs:
            if key not in sessions:
                continue
            state = sessions[key]
            summaries = SummaryState.load(state.summary_states.get(str(number)))
            result[graph_id] = {
                "session": state.id,
                "version": state.version,
                "arrivals": state.next_sequence,
                **series.series(refs[key, number], summaries, x0, x1, width),
            }
    return tagged(json_response({"graphs": result}), tag)


_STATES = select(
    Session.key, Session.id, Session.version, Session.next_sequence, Session.summary_states, Session.status
)


def _width_within_bounds(width: int, names: int) -> int:
    """Reduce the width if the response would get too long. Raises ApiError (413) if that does not suffice."""
    most = MAX_VALUES // (series.EXACT_POINTS_PER_PIXEL * max(1, names))
    if most < series.MIN_WIDTH:
        raise ApiError(413, "too_large", f"these graphs have {names} names, too many for one response; ask for fewer")
    return min(width, most)


def _find_graphs(ids: list[str], access: Access) -> list[tuple[str, int, int]]:
    """(id, session key, number) of these graphs. Raises ApiError (404) if one does not exist or may not be read."""
    query = (
        select(Graph.id, Graph.session_key, Graph.number, Project)
        .join(Session, Session.key == Graph.session_key)
        .join(Project, Project.id == Session.project_id)
        .where(Graph.id.in_(ids))
    )
    found = {row.id: row for row in db.session.execute(query) if access.may_read(row[3])}
    for id_ in ids:
        if not is_id(id_) or id_ not in found:
            raise ApiError(404, "unknown_graph", f"there is no graph {id_[:40]}")
    return [(id_, found[id_].session_key, found[id_].number) for id_ in dict.fromkeys(ids)]
