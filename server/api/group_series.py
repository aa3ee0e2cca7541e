"""Groups of sessions in the charts: which graphs they have, and the mean and spread of one of them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from losswise.protocol.records import storable_text

from ..db.engine import read_in_order, reading
from ..exceptions import ApiError
from ..extensions import db
from ..points import group_series, store
from ..points.group_series import Member, MemberGraph
from ..points.summaries import SummaryState
from ..sessions.group_members import Members, find_members, numbers_of, titles_of
from ..sessions.places import CURRENT
from .finished import finished_tag, is_known, tagged
from .requests import MAX_OFFSET_S, json_response, require_access, selected_projects, whole_number

bp = Blueprint("group_series", __name__, url_prefix="/api/v2/series/groups")

DEFAULT_WIDTH = 500  # pixels


@bp.get("")
def show_series() -> Response:
    """Mean and spread of a graph over a group; see points.group_series. Has an ETag once no session is active."""
    title = request.args.get("title")
    if title is None:
        raise ApiError(400, "bad_request", "name the graphs as title=TITLE")
    x0, x1 = whole_number("x0"), whole_number("x1")
    width = whole_number("width", DEFAULT_WIDTH, 1, group_series.MAX_WIDTH)
    projects = selected_projects(require_access())
    db.session.rollback()
    with reading() as connection:
        members = _find(connection, projects, storable_text(title))
        tag = finished_tag(members.rows, members.total)
        if is_known(tag):
            return tagged(Response(status=304), tag)
        read_in_order(connection)
        found = group_series.group_series(_graphs(connection, members, storable_text(title)), x0, x1, width)
    active = sum(row.status == "active" for row in members.rows)
    body = {"sessions": members.total, "active": active, "steps": _common_steps(members), **found}
    is_whole = found["used"] == len(members.rows)  # else there was no time for some
    return tagged(json_response(body), tag if is_whole else None)


@bp.get("/graphs")
def list_graphs() -> Response:
    """The graphs that the sessions of a group have, by title."""
    projects = selected_projects(require_access())
    db.session.rollback()
    with reading() as connection:
        members = _find(connection, projects)
        graphs = titles_of(connection, [row.key for row in members.rows])
    return json_response({"sessions": members.total, "ids": [row.id for row in members.rows], "graphs": graphs})


def _find(connection: Connection, projects: list[int], title: str | None = None) -> Members:
    return find_members(
        connection,
        projects,
        q=storable_text(request.args.get("q", "")),
        place=request.args.get("in", CURRENT),
        offset=whole_number("utc_offset", 0, -MAX_OFFSET_S, MAX_OFFSET_S),
        title=title,
    )


def _graphs(connection: Connection, members: Members, title: str) -> list[Member]:
    """Of each session its graphs with this title."""
    numbers = numbers_of(connection, [row.key for row in members.rows], title)
    refs = store.graph_refs(connection, [(key, number) for key, found in numbers.items() for number in found])
    return [
        [
            MemberGraph(refs[row.key, number], SummaryState.load(row.summary_states.get(str(number))), row.points)
            for number in numbers.get(row.key, [])
        ]
        for row in members.rows
    ]


def _common_steps(members: Members) -> int | None:
    """How many steps each session has, if it is the same number for all."""
    steps: set[Any] = {row.max_iter or (None if row.last_x is None else row.last_x + 1) for row in members.rows}
    return steps.pop() if len(steps) == 1 else None
