"""What a page needs to help with queries: the fields and values that exist, and what a query says."""

from __future__ import annotations

from flask import Blueprint, Response, request

from losswise.protocol.records import storable_text

from ..db.engine import reading
from ..extensions import db
from ..query.parser import BadQuery, parse, parse_field
from ..query.terms import terms_of
from ..sessions import fields
from ..sessions.differing import differing_params
from ..sessions.listing import bad_query, find_keys
from ..sessions.places import CURRENT
from .requests import MAX_OFFSET_S, json_response, require_access, selected_projects, whole_number

bp = Blueprint("queries", __name__, url_prefix="/api/v2/sessions")


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
    try:
        field = parse_field(storable_text(request.args.get("field", "")))
    except BadQuery as error:
        raise bad_query(error) from None
    prefix = storable_text(request.args.get("prefix", ""))
    limit = whole_number("limit", fields.VALUES_LIMIT, 1, fields.MAX_VALUES_LIMIT)
    db.session.rollback()
    with reading() as connection:
        found = fields.list_values(connection, projects, field, prefix, limit)
    return json_response({"field": field.short, **found})


@bp.get("/differing_params")
def list_differing() -> Response:
    projects = selected_projects(require_access())
    db.session.rollback()
    with reading() as connection:
        keys = find_keys(
            connection,
            projects,
            request.args.get("in", CURRENT),
            storable_text(request.args.get("q", "")),
            request.args.get("status"),
            whole_number("utc_offset", 0, -MAX_OFFSET_S, MAX_OFFSET_S),
        )
        found = differing_params(connection, projects, keys)
    return json_response(found)


@bp.get("/parse")
def parse_query() -> Response:
    require_access()
    text = storable_text(request.args.get("q", ""))
    try:
        return json_response({"terms": terms_of(text, parse(text))})
    except BadQuery as error:
        raise bad_query(error) from None
