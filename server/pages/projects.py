"""The list of projects, and a project's page: the session table above, the charts below."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_login import current_user, login_required
from sqlalchemy import select

from ..accounts.permissions import access_of_user
from ..accounts.preferences import read_preferences
from ..accounts.projects import readable_projects
from ..accounts.views import Viewer
from ..db.engine import reading
from ..db.models import Session
from ..extensions import db
from ..sessions.project_list import list_projects
from .context import describe, find_project
from .first_rows import first_rows
from .opening import opening

bp = Blueprint("projects", __name__)


@bp.get("/")
@login_required
def home() -> Any:
    project_id = last_project()
    if project_id is None:
        return redirect(url_for("projects.index"))
    return redirect(url_for("projects.show", project_id=project_id))


def last_project() -> int | None:
    """The id of the user's project that was last written to; None if there is no project."""
    projects = [project.id for project in readable_projects(access_of_user(current_user))]
    last = select(Session.project_id).where(Session.project_id.in_(projects)).order_by(Session.updated_at.desc())
    return db.session.scalar(last.limit(1)) or (projects[0] if projects else None)


@bp.get("/projects")
@login_required
def index() -> Any:
    return render_template("projects.html", listed=_list())


@bp.get("/projects/rows")
@login_required
def rows() -> Any:
    """The rows of the list alone, which the page fetches again and again."""
    return render_template("projects_rows.html", listed=_list())


def _list() -> list[dict[str, Any]]:
    access = access_of_user(current_user)
    db.session.rollback()
    with reading() as connection:
        return list_projects(connection, access)


@bp.get("/projects/<int:project_id>")
@login_required
def show(project_id: int) -> Any:
    project = find_project(project_id)
    may_write = access_of_user(current_user).may_write(project)
    preferences = read_preferences(db.session.connection(), current_user.id, project.id)
    described, viewer = describe(project), Viewer(project.id, current_user.id, may_write)
    db.session.rollback()
    opened = opening(viewer, request.query_string.decode("latin-1"))
    layout = opened.layout or preferences.get("columns", {})
    with reading() as connection:
        first = first_rows(connection, project_id, opened.address, layout, time.time())
    return render_template(
        "project.html",
        project=described,
        preferences=preferences,
        opened=opened.as_json(),
        first=first,
        may_write=may_write,
        base_url=request.host_url.rstrip("/"),
        active_tab="sessions",
    )
