"""One session: the address that a script prints, and the details page."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from sqlalchemy import select

from losswise import __version__

from ..accounts.permissions import access_of_user
from ..db.engine import reading
from ..db.models import Project, Session
from ..edits.editing import edit_sessions
from ..edits.schema import Edit
from ..edits.selection import Selected, projects_of
from ..extensions import db
from ..maintenance import deletion
from ..sessions.details import with_details
from ..sessions.listing import read_session_row
from ..static_files import current_version
from .context import describe, find_project
from .session_view import CONSOLE, visible_diff, visible_images, visible_texts

bp = Blueprint("session", __name__)


@bp.get("/s/<session_id>")
@login_required
def curves(session_id: str) -> Any:
    """The project's page with that session selected."""
    project, _key = _find(session_id)
    return redirect(url_for("projects.show", project_id=project.id, s=session_id))


@bp.get("/s/<session_id>/details")
@login_required
def details(session_id: str) -> Any:
    project, key = _find(session_id)
    described = describe(project)
    may_write = access_of_user(current_user).may_write(project)
    is_asked = request.args.get("delete") is not None
    db.session.rollback()
    with reading() as connection:
        row = read_session_row(connection, session_id, whole_note=True)
        if row is None:
            abort(404, "This session has just been deleted.")
        version = f"{__version__}-{current_version()}-{row['version']}-{row['status']}-{may_write}"
        if not is_asked and request.if_none_match.contains(version):
            return "", 304
        session = with_details(connection, key, row)
    texts = visible_texts(session["texts"])
    return render_template(
        "session.html",
        project=described,
        session=session,
        version=version,
        console=texts.pop(CONSOLE, None),
        texts=texts,
        sequences=visible_images(session["images"]),
        diff=visible_diff(session["git"].get("diff")),
        may_write=may_write,
        is_asked=is_asked,
    )


@bp.post("/s/<session_id>/delete")
@login_required
def delete(session_id: str) -> Any:
    """Move the session to the bin; from the bin, delete it for good."""
    project, key = _find(session_id)
    access = access_of_user(current_user)
    if not access.may_write(project):
        abort(403, "You may view this session, but not delete it.")
    is_in_bin = db.session.scalar(select(Session.deleted_at).where(Session.key == key)) is not None
    address = url_for("projects.show", project_id=project.id)
    projects = projects_of(access)
    db.session.rollback()
    if is_in_bin:
        deletion.delete_session(session_id)
        return redirect(address + "?in=bin", 303)
    done = edit_sessions(Selected([key], only=session_id), Edit(deleted=True), access, projects, time.time())
    return redirect(address + (f"#binned={done.undo}" if done.undo else ""), 303)  # the page offers to undo it


def _find(session_id: str) -> tuple[Project, int]:
    """The session's project and database key. Ends the request with 404 if the user may not read such a session."""
    row = db.session.execute(select(Session.project_id, Session.key).where(Session.id == session_id)).first()
    if row is None:
        abort(404, "There is no such session. A new session appears when its first records arrive.")
    return find_project(row.project_id), row.key
