"""What people change of sessions: edit many at once, undo, delete for good what is in the bin."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Response, request

from ..accounts.permissions import key_of
from ..db.engine import reading
from ..edits.editing import Outcome, edit_sessions
from ..edits.purging import purgeable
from ..edits.schema import EditRequest, Selection
from ..edits.selection import projects_of, select_sessions
from ..edits.undo import undo
from ..exceptions import ApiError
from ..extensions import db
from ..ingest import json_body
from ..ingest.schema_errors import sentence
from ..maintenance import deletion
from ..sessions.listing import read_rows
from ..sessions.places import BIN
from .requests import json_response, require_access

bp = Blueprint("edits", __name__, url_prefix="/api/v2")

MAX_BODY_BYTES = 4 * 1024 * 1024  # a hundred thousand ids take 2.3 MB
MAX_RETURNED = 100

Body = TypeVar("Body", bound=Selection)


@bp.post("/sessions/edits")
def post_edits() -> Response:
    access = require_access()
    body = _read_body(EditRequest)
    projects = projects_of(access)
    selected = select_sessions(body, projects)
    outcome = edit_sessions(selected, body.edit, access, projects, time.time())
    return json_response({"matched": selected.total, **_as_json(outcome), "undo": outcome.undo})


@bp.post("/undo/<token>")
def post_undo(token: str) -> Response:
    access = require_access()
    projects = projects_of(access)
    db.session.rollback()
    return json_response(_as_json(undo(token, access, projects, time.time())))


@bp.post("/sessions/purge")
def post_purge() -> Response:
    projects = projects_of(require_access())
    body = _read_body(Selection)
    if body.matching is not None and body.matching.place != BIN:
        raise ApiError(400, "bad_request", "only sessions in the bin are deleted for good: 'in' must be bin")
    selected = select_sessions(body, projects)
    keys, skipped = purgeable(selected, projects)
    deleted = deletion.delete_from_bin(keys, time.time())
    return json_response({"deleted": deleted, "skipped": skipped.as_json()})


def _as_json(outcome: Outcome) -> dict[str, Any]:
    """The numbers, and the rows of the changed sessions if they are few."""
    rows = None
    if len(outcome.changed) <= MAX_RETURNED:
        with reading() as connection:
            rows = read_rows(connection, outcome.changed)
    return {"changed": len(outcome.changed), "skipped": outcome.skipped.as_json(), "sessions": rows}


def _read_body(kind: type[Body]) -> Body:
    """The request's body. Raises ApiError, with a sentence, if it is none of this kind."""
    # a page of another site can have a form sent to here with a cookie, but not as this type: see middleware.security
    if key_of(request) is None and not request.is_json:
        raise ApiError(415, "not_json", "send JSON, as 'Content-Type: application/json'")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise ApiError(413, "too_large", f"the body has at most {MAX_BODY_BYTES:,} bytes")
    try:
        return msgspec.convert(json_body.strict(request.get_data()), kind)
    except json_body.TooLarge as error:
        raise ApiError(413, "too_large", str(error)) from None
    except json_body.MalformedBody as error:
        raise ApiError(400, "bad_json", str(error)) from None
    except msgspec.ValidationError as error:
        raise ApiError(400, "bad_request", sentence(str(error))) from None
