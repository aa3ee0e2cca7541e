"""Errors in the form that the asker reads: a page for people, JSON for programs, the old form under /api/v1."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg2
from flask import Flask, Response, jsonify, render_template, request
from sqlalchemy.exc import DataError, ProgrammingError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from .outages import outage
from .refused import Refused

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
CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_large"}


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Refused, lambda error: answer(error.status, error.code, error.message))
    # the drivers' own too: points are written through their cursors
    databases: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error, psycopg2.Error)
    ranges: tuple[type[Exception], ...] = (DataError, ProgrammingError, OverflowError)
    for kind in databases:
        app.register_error_handler(kind, _database_error)
    for kind in ranges:
        app.register_error_handler(kind, _out_of_range)
    app.register_error_handler(Exception, _crash)


def answer(status: int, code: str, message: str) -> Any:
    """An error as JSON (or a page), with the right status."""
    if request.path.startswith("/api/v1"):
        response = jsonify(success=False, error=message)
    elif request.path.startswith(("/api/", "/live", "/healthz")):
        response = jsonify(error=message, code=code)
    else:
        title = TITLES.get(status, "That did not work")
        return render_template("error.html", status=status, title=title, message=message), status
    response.status_code = status
    if status in RETRY_AFTER:
        response.headers["Retry-After"] = RETRY_AFTER[status]
    return response


def _http_error(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400 and isinstance(error.get_response(), Response):
        return error
    message = error.description or "That did not work."
    return answer(status, CODES.get(status, error.name.lower().replace(" ", "_")), message)


def _database_error(error: Exception) -> Any:
    from flask import current_app

    passing = outage(error)
    current_app.logger.error("database error: %s", str(error)[:2_000], exc_info=passing is None)
    if passing is not None:
        return answer(503, "unavailable", passing)
    return answer(500, "server_error", "The server could not do that; its log says why.")


def _out_of_range(error: Exception) -> Any:
    """A number too large for a column, or a made-up cursor: the asker's doing, unless something was to be stored."""
    if request.method not in ("GET", "HEAD"):
        return _crash(error)
    return answer(400, "bad_request", "A value in the question is out of range, or of the wrong kind.")


def _crash(error: Exception) -> Any:
    from flask import current_app

    current_app.logger.exception("unexpected error")
    return answer(500, "server_error", "The server could not do that; its log says why.")
