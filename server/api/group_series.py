"""Groups of sessions in the charts: which graphs they have, and the mean and spread of one of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response
from sqlalchemy import Connection

from ..db.engine import read_in_order, reading
from ..exceptions import ApiError
from ..extensions import db
from ..points import group_series, store
from ..points.group_series import Member, MemberGraph
from ..points.summaries import SummaryState
from ..sessions.group_members import Members, find_members, numbers_of, titles_of
from ..sessions.places import CURRENT
from .finished import finished_tag, is_known, tagged
from .requests import UtcOffset, json_response, read_query, require_access, selected_projects

bp = Blueprint("group_series", __name__, url_prefix="/api/v2/series/groups")

DEFAULT_WIDTH = 500  # pixels


class GroupQuery(msgspec.Struct):
    """The sessions of a group, as the list has them."""

    q: str = ""
    place: str = msgspec.field(default=CURRENT, name="in")
    utc_offset: UtcOffset = 0


class SeriesQuery(GroupQuery):
    """Which graphs of a group, from x0 to x1, for charts of `width` pixels."""

    title: str | None = None
    x0: int | None = None
    x1: int | None = None
    width: Annotated[int, msgspec.Meta(ge=1, le=group_series.MAX_WIDTH)] = DEFAULT_WIDTH


@bp.get("")
def show_series() -> Response:
    """Mean and spread of a graph over a group; see points.group_series. Has an ETag once no session is active."""
    query = read_query(SeriesQuery)
    if query.title is None:
        raise ApiError(400, "bad_request", "name the graphs as title=TITLE")
    projects = selected_projects(require_access())
    db.session.rollback()
    with reading() as connection:
        members = _find(connection, projects, query, query.title)
        tag = finished_tag(members.rows, members.total)
        if is_known(tag):
            return tagged(Response(status=304), tag)
        read_in_order(connection)
        found = group_series.group_series(_graphs(connection, members, query.title), query.x0, query.x1, query.width)
    active = sum(row.status == "active" for row in members.rows)
    body = {"sessions": members.total, "active": active, "steps": _common_steps(members), **found}
    is_whole = found["used"] == len(members.rows)  # else there was no time for some
    return tagged(json_response(body), tag if is_whole else None)


@bp.get("/graphs")
def list_graphs() -> Response:
    """The graphs that the sessions of a group have, by title."""
    projects = selected_projects(require_access())
    query = read_query(GroupQuery)
    db.session.rollback()
    with reading() as connection:
        members = _find(connection, projects, query)
        graphs = titles_of(connection, [row.key for row in members.rows])
    return json_response({"sessions": members.total, "ids": [row.id for row in members.rows], "graphs": graphs})


def _find(connection: Connection, projects: list[int], query: GroupQuery, title: str | None = None) -> Members:
    return find_members(connection, projects, q=query.q, place=query.place, offset=query.utc_offset, title=title)


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
