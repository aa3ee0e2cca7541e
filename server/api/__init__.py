"""The HTTP API: blueprints that parse requests and call ingest, sessions, points and live."""

from __future__ import annotations

from flask import Flask

from losswise.protocol.limits import MAX_BATCH_BYTES


def init_app(app: Flask) -> None:
    from . import edits, export, group_series, groups, health, live, preferences, projects, queries, read, v1, v2, views

    app.config["MAX_CONTENT_LENGTH"] = MAX_BATCH_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = 1024 * 1024
    readers = (group_series, groups, live, queries, read)
    for module in (edits, export, health, preferences, projects, v1, v2, views, *readers):
        app.register_blueprint(module.bp)
