"""The context of every page: the signed-in user, the header's projects, template variables, access checks."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, request, url_for
from flask_login import current_user

from losswise import __version__

from ..accounts.permissions import access_of_user
from ..accounts.project_edits import starred_projects
from ..accounts.projects import readable_projects
from ..db.models import Project, User
from ..extensions import db


def load_user(user_id: str) -> User | None:
    return db.session.get(User, int(user_id)) if user_id.isdigit() else None


def redirect_to_login() -> Any:
    """The login page, which leads back to the page that was requested."""
    return redirect(url_for("auth.login", next=request.full_path.rstrip("?")))


def find_project(project_id: int) -> Project:
    """The project with this id. Ends the request with 404 if the signed-in user may not read it."""
    project = db.session.get(Project, project_id)
    if project is None or not access_of_user(current_user).may_read(project):
        abort(404, "There is no such project, or you have no access to it.")
    return project


def describe(project: Project) -> dict[str, Any]:
    """A project as templates use it."""
    return {"id": project.id, "name": project.name, "organization": project.organization.name}


def _projects() -> list[dict[str, Any]]:
    """What the header's menu lists: the projects with a star of the signed-in user first, then by name."""
    starred = starred_projects(db.session.connection(), current_user.id)
    projects = readable_projects(access_of_user(current_user))
    described = [{**describe(project), "starred": project.id in starred} for project in projects]
    return sorted(described, key=lambda project: not project["starred"])


def page_variables() -> dict[str, Any]:
    """The variables of every template. A view overrides `project` and `active_tab`."""
    signed_in = current_user.is_authenticated
    return {
        "version": __version__,
        "projects": _projects() if signed_in else [],
        "project": None,
        "active_tab": None,
    }
