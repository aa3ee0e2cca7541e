"""The pages that people see: blueprints that render templates/."""

from __future__ import annotations

from flask import Flask

from ..extensions import login_manager
from . import auth, filters, projects, quickstart, session
from .context import ask_to_sign_in, common, load_user


def init_app(app: Flask) -> None:
    for module in (auth, projects, quickstart, session):
        app.register_blueprint(module.bp)
    filters.init_app(app)
    login_manager.user_loader(load_user)
    login_manager.unauthorized_handler(ask_to_sign_in)
    app.context_processor(common)
