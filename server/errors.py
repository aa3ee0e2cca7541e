"""Errors in the form that the asker reads: a page for people, JSON for programs, the old form under /api/v1."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, jsonify, render_template, request
from sqlalchemy.exc import DataError, DBAPIError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from .refused import Refused

TITLES = {
    400: "That request could not be understood",
    401: "Sign in first",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not possible here",
    413: "Too large",
    500: "Something went wrong here",
    503: "Not available now",
}
CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 413: "too_large"}


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Refused, lambda error: answer(error.status, error.code, error.message))
    app.register_error_handler(SQLAlchemyError, _database_error)
    for error in (DataError, ProgrammingError, OverflowError):
        app.register_error_handler(error, _out_of_range)
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
    if status == 503:
        response.headers["Retry-After"] = "2"
    return response


def _http_error(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400 and isinstance(error.get_response(), Response):
        return error
    message = error.description or "That did not work."
    return answer(status, CODES.get(status, error.name.lower().replace(" ", "_")), message)


def _database_error(error: SQLAlchemyError) -> Any:
    from flask import current_app

    busy = isinstance(error, PoolTimeoutError) or (
        isinstance(error, DBAPIError) and (error.connection_invalidated or _away(error))
    )
    current_app.logger.error("database error: %s", str(error)[:2_000], exc_info=not busy)
    if busy:
        return answer(503, "unavailable", "The database does not answer now; try again in a moment.")
    return answer(500, "server_error", "The server could not do that; its log says why.")


def _out_of_range(error: Exception) -> Any:
    """A number too large for a column, or a made-up cursor: the asker's doing, unless something was to be stored."""
    if request.method not in ("GET", "HEAD"):
        return _crash(error)
    return answer(400, "bad_request", "A value in the question is out of range, or of the wrong kind.")


def _away(error: DBAPIError) -> bool:
    words = str(error.orig).lower()
    return type(error.orig).__name__ == "OperationalError" and any(
        word in words for word in ("connect", "locked", "terminat", "shut", "starting up", "closed")
    )


def _crash(error: Exception) -> Any:
    from flask import current_app

    current_app.logger.exception("unexpected error")
    return answer(500, "server_error", "The server could not do that; its log says why.")
