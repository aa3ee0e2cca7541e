"""What the API's views share: who asks, and what the query string says."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from flask import Response, request
from sqlalchemy import select

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from ..accounts.permissions import Access, access_of, key_of
from ..accounts.projects import readable_projects
from ..db.models import Project, Session
from ..exceptions import Refused
from ..extensions import db
from ..middleware.admission import Manners, Visit, gate

WORTH_COMPRESSING = 4096
"""Bytes; less fits into a few packets anyway."""
LEVEL = 1
"""A quarter of the bytes for a hundredth of a second a megabyte; higher levels take several times as long."""


def require_access() -> Access:
    """The access of the request's key or signed-in person. Raises Refused with 401."""
    access = access_of(request)
    if access is None:
        sentence = (
            "this API key is not known here"
            if key_of(request)
            else "an API key is missing: send it as 'Authorization: KEY', or sign in"
        )
        raise Refused(401, "unauthorized", sentence)
    return access


def require_key() -> Access:
    """Access by an API key: where programs write, a cookie does not do."""
    if key_of(request) is None:
        raise Refused(401, "unauthorized", "an API key is missing: send it as 'Authorization: KEY'")
    return require_access()


@contextmanager
def entered(manners: Manners) -> Iterator[Visit]:
    """The request among those that write. Who waits there keeps no connection to the database."""
    db.session.rollback()
    with gate.entered(manners, request.environ.get("gunicorn.socket")) as visit:
        yield visit


def session_key(session_id: str, access: Access, write: bool = False) -> int:
    """The key of a session that the access may read (or write). Raises Refused with 404 or 403."""
    query = select(Session.key, Project).join(Project, Project.id == Session.project_id)
    row = db.session.execute(query.where(Session.id == session_id)).first()
    if row is None or not access.may_read(row[1]):
        raise Refused(404, "unknown_session", f"there is no session {session_id[:40]}")
    if write and not access.may_write(row[1]):
        raise Refused(403, "forbidden", "you may look at this session, not change it")
    return int(row[0])


def asked_projects(access: Access) -> list[int]:
    """The projects that `project=` (a name) or `project_id=` choose, else all that may be read."""
    projects = readable_projects(access)
    name, id_ = request.args.get("project"), request.args.get("project_id")
    if name is not None:
        projects = [project for project in projects if project.name == name]
    if id_ is not None:
        wanted = whole_number("project_id")
        projects = [project for project in projects if project.id == wanted]
    if not projects and (name is not None or id_ is not None):
        raise Refused(404, "unknown_project", "there is no such project")
    return [project.id for project in projects]


def whole_number(name: str, default: int | None = None, least: int = INT64_MIN, most: int = INT64_MAX) -> Any:
    """A number of the query string, cut to `most`. Raises Refused with 400 where it cannot be read."""
    value = request.args.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except ValueError:
        number = None
    if number is None or number < least:
        raise Refused(400, "bad_request", f"'{name}' must be a whole number, {_at_least(least)}not {value[:40]!r}")
    return min(number, most)


def _at_least(least: int) -> str:
    return "" if least == INT64_MIN else f"at least {least}, "


def json_response(value: Any, status: int = 200) -> Response:
    """JSON of a value that may be long; compressed where the asker takes it."""
    body = msgspec.json.encode(value)
    response = Response(body, status=status, mimetype="application/json")
    response.vary.add("Accept-Encoding")
    if len(body) >= WORTH_COMPRESSING and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(body, LEVEL, mtime=0))
        response.content_encoding = "gzip"
    return response
