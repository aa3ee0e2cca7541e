"""Error responses: HTML pages for people, JSON under /api/v2 and /live, the v1 protocol's JSON under /api/v1."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg2
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from sqlalchemy.exc import DataError, ProgrammingError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from ..db.outages import LogLimit, describe_outage
from ..exceptions import ApiError
from ..extensions import login_manager

TITLES = {
    400: "Bad request",
    401: "Sign in first",
    403: "Not allowed",
    404: "Page not found",
    405: "Method not allowed",
    413: "Too large",
    429: "Too many requests",
    500: "Server error",
    503: "Temporarily unavailable",
}
RETRY_AFTER_S = {429: "1", 503: "2"}
PAGE_RELOAD_S = 5  # after which an error page with status 503 reloads itself
MAX_LOGGED_CHARS = 2_000
# The drivers' own errors, too: points are written through their cursors.
DATABASE_ERRORS: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error, psycopg2.Error)
RANGE_ERRORS: tuple[type[Exception], ...] = (DataError, ProgrammingError, OverflowError)
SERVER_ERROR = "The server failed to handle this request. Its log has the details."
CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_large"}


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(ApiError, lambda error: answer(error.status, error.code, error.message, **error.details))
    for kind in DATABASE_ERRORS:
        app.register_error_handler(kind, _database_error)
    for kind in RANGE_ERRORS:
        app.register_error_handler(kind, _out_of_range)
    app.register_error_handler(Exception, _crash)


def answer(status: int, code: str, message: str, **details: Any) -> Any:
    """Build the error response for the current request. `details` are further fields of the JSON."""
    if request.path.startswith("/api/v1"):
        response = jsonify(success=False, error=message)
    elif request.path.startswith(("/api/", "/live", "/healthz")):
        response = jsonify(error=message, code=code, **details)
    else:
        try:
            response = make_response(_page(status, message))
        except DATABASE_ERRORS as error:  # the page's header shows the signed-in user
            if status >= 500:
                raise
            return _database_error(error)
    response.status_code = status
    if status in RETRY_AFTER_S:
        response.headers["Retry-After"] = RETRY_AFTER_S[status]
    return response


def _page(status: int, message: str) -> str:
    if status >= 500:
        g._login_user = login_manager.anonymous_user()  # render without the database
    reload_s = PAGE_RELOAD_S if status == 503 and request.method == "GET" else None
    title = TITLES.get(status, "Error")
    return render_template("error.html", status=status, title=title, message=message, reload_s=reload_s)


def _http_error(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400 and isinstance(error.get_response(), Response):
        return error
    message = error.description or "The request failed."
    return answer(status, CODES.get(status, error.name.lower().replace(" ", "_")), message)


def _database_error(error: Exception) -> Any:
    from flask import current_app

    reason = describe_outage(error)
    if reason is not None:
        _log_outage(reason)
        return answer(503, "unavailable", reason)
    current_app.logger.error("database error: %s", str(error)[:MAX_LOGGED_CHARS], exc_info=True)
    return answer(500, "server_error", SERVER_ERROR)


_outage_log = LogLimit()


def _log_outage(message: str) -> None:
    """Log the outage once a minute: every request may fail while it lasts."""
    from flask import current_app

    if _outage_log.is_due():
        current_app.logger.error("%s %s is answered with 503: %s", request.method, request.path[:200], message)


def _out_of_range(error: Exception) -> Any:
    """Answer a value that the database rejects: 400 if it came from a query string, else a server error."""
    if request.method not in ("GET", "HEAD"):
        return _crash(error)
    return answer(400, "bad_request", "A value in the query is out of range or of the wrong type.")


def _crash(error: Exception) -> Any:
    from flask import current_app

    current_app.logger.exception("unexpected error")
    return answer(500, "server_error", SERVER_ERROR)
