"""A page with sessions side by side."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask_login import login_required
from sqlalchemy import select

from losswise.protocol.records import is_id

from ..db.engine import reading
from ..db.models import Session
from ..extensions import db
from ..sessions.comparison import (
    MAX_SESSIONS,
    MISSING,
    compare_params,
    compare_statistics,
    compare_values,
)
from ..sessions.listing import read_rows
from ..sessions.row_values import elapsed
from .context import describe, find_project

bp = Blueprint("compare", __name__)

MIN_SESSIONS = 2


@bp.get("/projects/<int:project_id>/compare")
@login_required
def show(project_id: int) -> Any:
    """The sessions that the address names as s=ID: their facts, params, metrics and values."""
    described = describe(find_project(project_id))
    ids = [id_ for id_ in dict.fromkeys(request.args.getlist("s")) if is_id(id_)][:MAX_SESSIONS]
    db.session.rollback()
    with reading() as connection:
        where = (Session.id.in_(ids), Session.project_id == project_id)
        keys = dict(connection.execute(select(Session.id, Session.key).where(*where)).tuples().all())
        sessions = read_rows(connection, [keys[id_] for id_ in ids if id_ in keys])
    if len(sessions) < MIN_SESSIONS:
        abort(404, "Fewer than two of these sessions exist in this project: choose others in its table.")
    return render_template(
        "compare.html",
        project=described,
        sessions=sessions,
        durations=[elapsed(session, time.time()) for session in sessions],
        missing=len(ids) - len(sessions),
        params=compare_params(sessions),
        statistics=compare_statistics(sessions),
        values=compare_values(sessions),
        MISSING=MISSING,
        active_tab="sessions",
    )
