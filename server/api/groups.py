"""Groups of sessions: what the session table shows while it is grouped."""

from __future__ import annotations

from typing import Annotated

import msgspec
from flask import Blueprint, Response

from ..db.engine import reading
from ..extensions import db
from ..query.nodes import Field
from ..query.parser import BadQuery, parse_field
from ..sessions import grouping
from ..sessions.listing import bad_query
from ..sessions.places import CURRENT
from .requests import UtcOffset, json_response, read_query, require_access, selected_projects

bp = Blueprint("groups", __name__, url_prefix="/api/v2/sessions")


class Query(msgspec.Struct):
    """Which groups: the first six are as in grouping.Asked, the others as in the list."""

    by: str = ""
    stat: list[str] = []
    show: list[str] = []
    sort: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=grouping.MAX_LIMIT)] = grouping.LIMIT
    offset: Annotated[int, msgspec.Meta(ge=0, le=grouping.MAX_OFFSET)] = 0
    q: str = ""
    status: str | None = None
    place: str = msgspec.field(default=CURRENT, name="in")
    utc_offset: UtcOffset = 0


@bp.get("/groups")
def list_groups() -> Response:
    """The groups of the sessions that have a value of `by` in common; see sessions.grouping."""
    projects = selected_projects(require_access())
    query = read_query(Query)
    asked = grouping.Asked(
        by=_field(query.by),
        statistics=query.stat,
        shown={name: _field(name) for name in query.show},
        sort=query.sort or "value",
        limit=query.limit,
        offset=query.offset,
    )
    db.session.rollback()
    with reading() as connection:
        page = grouping.list_groups(
            connection, projects, asked, q=query.q, status=query.status, place=query.place, clock=query.utc_offset
        )
    return json_response(page)


def _field(text: str) -> Field:
    try:
        return parse_field(text)
    except BadQuery as error:
        raise bad_query(error) from None
