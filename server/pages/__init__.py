"""The pages that people see: blueprints that render templates/."""

from __future__ import annotations

from typing import Any

from flask import Flask, redirect, request, url_for
from flask_login import current_user

from losswise import __version__

from ..access import access_of_user, readable_projects
from ..extensions import db, login_manager
from ..models import Project, User


def init_app(app: Flask) -> None:
    from . import auth, projects, quickstart, session, words

    for module in (auth, projects, quickstart, session):
        app.register_blueprint(module.bp)
    words.init_app(app)
    login_manager.user_loader(load_user)
    login_manager.unauthorized_handler(ask_to_sign_in)
    app.context_processor(common)


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
