"""Errors in the form that the asker reads: a page for people, JSON for programs, the old form under /api/v1."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg2
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from sqlalchemy.exc import DataError, ProgrammingError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from ..db.outages import LogLimit, describe_outage
from ..exceptions import Refused
from ..extensions import login_manager

TITLES = {
    400: "That request could not be understood",
    401: "Sign in first",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not possible here",
    413: "Too large",
    429: "Too busy now",
    500: "Something went wrong here",
    503: "Not available now",
}
RETRY_AFTER = {429: "1", 503: "2"}
AGAIN_AFTER = 5
"""Seconds after which a page that is not available now is asked for again by itself."""
DATABASE_ERRORS: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error, psycopg2.Error)
"""The drivers' own too: points are written through their cursors."""
CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_large"}


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Refused, lambda error: answer(error.status, error.code, error.message, **error.details))
    ranges: tuple[type[Exception], ...] = (DataError, ProgrammingError, OverflowError)
    for kind in DATABASE_ERRORS:
        app.register_error_handler(kind, _database_error)
    for kind in ranges:
        app.register_error_handler(kind, _out_of_range)
    app.register_error_handler(Exception, _crash)


def answer(status: int, code: str, message: str, **details: Any) -> Any:
    """An error as JSON (or a page), with the right status. `details` are further fields of the JSON."""
    if request.path.startswith("/api/v1"):
        response = jsonify(success=False, error=message)
    elif request.path.startswith(("/api/", "/live", "/healthz")):
        response = jsonify(error=message, code=code, **details)
    else:
        try:
            response = make_response(_page(status, message))
        except DATABASE_ERRORS as error:  # who is signed in is looked up for the page's head
            if status >= 500:
                raise
            return _database_error(error)
    response.status_code = status
    if status in RETRY_AFTER:
        response.headers["Retry-After"] = RETRY_AFTER[status]
    return response


def _page(status: int, message: str) -> str:
    if status >= 500:
        g._login_user = login_manager.anonymous_user()  # this page asks the database nothing
    again = AGAIN_AFTER if status == 503 and request.method == "GET" else None
    title = TITLES.get(status, "That did not work")
    return render_template("error.html", status=status, title=title, message=message, again=again)


def _http_error(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400 and isinstance(error.get_response(), Response):
        return error
    message = error.description or "That did not work."
    return answer(status, CODES.get(status, error.name.lower().replace(" ", "_")), message)


def _database_error(error: Exception) -> Any:
    from flask import current_app

    passing = describe_outage(error)
    if passing is not None:
        _log_outage(passing)
        return answer(503, "unavailable", passing)
    current_app.logger.error("database error: %s", str(error)[:2_000], exc_info=True)
    return answer(500, "server_error", "The server could not do that; its log says why.")


_outage_log = LogLimit()


def _log_outage(message: str) -> None:
    """Log the outage now and then: every request may fail for as long as it lasts."""
    from flask import current_app

    if _outage_log.is_due():
        current_app.logger.error("%s %s is answered with 503: %s", request.method, request.path[:200], message)


def _out_of_range(error: Exception) -> Any:
    """A number too large for a column, or a made-up cursor: the asker's doing, unless something was to be stored."""
    if request.method not in ("GET", "HEAD"):
        return _crash(error)
    return answer(400, "bad_request", "A value in the question is out of range, or of the wrong kind.")


def _crash(error: Exception) -> Any:
    from flask import current_app

    current_app.logger.exception("unexpected error")
    return answer(500, "server_error", "The server could not do that; its log says why.")
