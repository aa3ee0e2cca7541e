"""What people change of sessions: edit many at once, undo, delete for good what is in the bin."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response

from ..db.engine import reading
from ..edits.editing import Outcome, edit_sessions
from ..edits.purging import purgeable
from ..edits.schema import EditRequest, PurgeRequest
from ..edits.selection import projects_of, select_sessions
from ..edits.undo import undo
from ..exceptions import ApiError
from ..extensions import db
from ..maintenance import deletion
from ..sessions.listing import read_rows
from ..sessions.places import BIN
from .requests import json_response, read_body, require_access

bp = Blueprint("edits", __name__, url_prefix="/api/v2")

MAX_RETURNED = 100


@bp.post("/sessions/edits")
def post_edits() -> Response:
    access = require_access()
    body = read_body(EditRequest)
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
    body = read_body(PurgeRequest)
    if body.matching is not None and body.matching.place != BIN:
        raise ApiError(400, "bad_request", "only sessions in the bin are deleted for good: 'in' must be bin")
    selected = select_sessions(body, projects)
    if body.expected not in (None, selected.total):
        message = f"these are {selected.total:,} sessions by now, not {body.expected:,}"
        raise ApiError(409, "other_number", message, sessions=selected.total)
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
