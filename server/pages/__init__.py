"""The HTML pages: blueprints that render templates/."""

from __future__ import annotations

from flask import Flask

from ..extensions import login_manager
from . import auth, compare, filters, projects, quickstart, session
from .context import load_user, page_variables, redirect_to_login


def init_app(app: Flask) -> None:
    for module in (auth, compare, projects, quickstart, session):
        app.register_blueprint(module.bp)
    filters.init_app(app)
    login_manager.user_loader(load_user)
    login_manager.unauthorized_handler(redirect_to_login)
    app.context_processor(page_variables)
