"""What every page needs: the signed-in user, the header's projects, template variables."""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from flask_login import current_user

from losswise import __version__

from ..accounts.permissions import access_of_user
from ..accounts.projects import readable_projects
from ..db.models import Project, User
from ..extensions import db


def load_user(user_id: str) -> User | None:
    return db.session.get(User, int(user_id)) if user_id.isdigit() else None


def ask_to_sign_in() -> Any:
    return redirect(url_for("auth.login", next=request.full_path.rstrip("?")))


def describe(project: Project) -> dict[str, Any]:
    return {"id": project.id, "name": project.name, "organization": project.organization.name}


def common() -> dict[str, Any]:
    """What every template is given."""
    signed_in = current_user.is_authenticated
    projects = readable_projects(access_of_user(current_user)) if signed_in else []
    return {
        "version": __version__,
        "projects": [describe(project) for project in projects],
        "project": None,
        "active_tab": None,
    }
