"""Groups of sessions: what the session table shows while it is grouped."""

from __future__ import annotations

from flask import Blueprint, Response, request

from losswise.protocol.records import storable_text

from ..db.engine import reading
from ..extensions import db
from ..query.nodes import Field
from ..query.parser import BadQuery, parse_field
from ..sessions import grouping
from ..sessions.listing import bad_query
from ..sessions.places import CURRENT
from .requests import MAX_OFFSET_S, json_response, require_access, selected_projects, whole_number

bp = Blueprint("groups", __name__, url_prefix="/api/v2/sessions")


@bp.get("/groups")
def list_groups() -> Response:
    """The groups of the sessions that have a value of `by` in common; see sessions.grouping."""
    projects = selected_projects(require_access())
    asked = grouping.Asked(
        by=_field(request.args.get("by", "")),
        statistics=[storable_text(name) for name in request.args.getlist("stat")],
        shown={name: _field(name) for name in request.args.getlist("show")},
        sort=storable_text(request.args.get("sort") or "value"),
        limit=whole_number("limit", grouping.LIMIT, 1, grouping.MAX_LIMIT),
        offset=whole_number("offset", 0, 0, grouping.MAX_OFFSET),
    )
    db.session.rollback()
    with reading() as connection:
        page = grouping.list_groups(
            connection,
            projects,
            asked,
            q=storable_text(request.args.get("q", "")),
            status=request.args.get("status"),
            place=request.args.get("in", CURRENT),
            clock=whole_number("utc_offset", 0, -MAX_OFFSET_S, MAX_OFFSET_S),
        )
    return json_response(page)


def _field(text: str) -> Field:
    try:
        return parse_field(storable_text(text))
    except BadQuery as error:
        raise bad_query(error) from None
