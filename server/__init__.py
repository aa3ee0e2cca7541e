"""The Losswise server: a Flask application that stores what training scripts record and shows it live."""

from __future__ import annotations

from typing import Any

from flask import Flask

from losswise.protocol.limits import MAX_BATCH_BYTES

from . import static_files
from .config import Settings, load_settings
from .db.engine import engine_options, prepare_engine
from .extensions import db, login_manager, migrate
from .middleware import errors, old_pages, security


def create_app(settings: Settings | None = None, **config: Any) -> Flask:
    """Create the application.

    Args:
        settings: read from the environment if they are None.
        config: Flask configuration that overrides the defaults.
    """
    settings = settings or load_settings()
    app = Flask(__name__, static_url_path="/static")
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        SESSION_COOKIE_NAME="losswise",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_HTTPONLY=True,
        REMEMBER_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=MAX_BATCH_BYTES,
        LIVE_STREAMS=200,
    )
    app.config.update(config)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    db.init_app(app)
    migrate.init_app(app, db, directory=f"{app.root_path}/migrations", render_as_batch=True)
    login_manager.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    static_files.init_app(app)
    security.init_app(app)
    errors.init_app(app)
    old_pages.init_app(app)
    from . import api, pages

    api.init_app(app)
    pages.init_app(app)
    return app
