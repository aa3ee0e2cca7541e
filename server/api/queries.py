"""What a page needs to help with queries: the fields and values that exist, and what a query says."""

from __future__ import annotations

from typing import Annotated

import msgspec
from flask import Blueprint, Response

from ..db.engine import reading
from ..extensions import db
from ..query.parser import BadQuery, parse, parse_field
from ..query.terms import terms_of
from ..sessions import fields
from ..sessions.differing import differing_params
from ..sessions.listing import bad_query, find_keys
from ..sessions.places import CURRENT
from .requests import UtcOffset, json_response, read_query, require_access, selected_projects

bp = Blueprint("queries", __name__, url_prefix="/api/v2/sessions")


class ValuesQuery(msgspec.Struct):
    """Which values of a field: those that begin with `prefix`, `limit` of them."""

    field: str = ""
    prefix: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=fields.MAX_VALUES_LIMIT)] = fields.VALUES_LIMIT


class DifferingQuery(msgspec.Struct):
    """Whose params are compared: the parameters of the list."""

    q: str = ""
    status: str | None = None
    place: str = msgspec.field(default=CURRENT, name="in")
    utc_offset: UtcOffset = 0


class ParseQuery(msgspec.Struct):
    q: str = ""


@bp.get("/fields")
def list_fields() -> Response:
    projects = selected_projects(require_access())
    db.session.rollback()
    with reading() as connection:
        found = fields.list_fields(connection, projects)
    return json_response(found)


@bp.get("/field_values")
def list_values() -> Response:
    projects = selected_projects(require_access())
    query = read_query(ValuesQuery)
    try:
        field = parse_field(query.field)
    except BadQuery as error:
        raise bad_query(error) from None
    db.session.rollback()
    with reading() as connection:
        found = fields.list_values(connection, projects, field, query.prefix, query.limit)
    return json_response({"field": field.short, **found})


@bp.get("/differing_params")
def list_differing() -> Response:
    projects = selected_projects(require_access())
    query = read_query(DifferingQuery)
    db.session.rollback()
    with reading() as connection:
        keys = find_keys(connection, projects, query.place, query.q, query.status, query.utc_offset)
        found = differing_params(connection, projects, keys)
    return json_response(found)


@bp.get("/parse")
def parse_query() -> Response:
    require_access()
    text = read_query(ParseQuery).q
    try:
        return json_response({"terms": terms_of(text, parse(text))})
    except BadQuery as error:
        raise bad_query(error) from None
