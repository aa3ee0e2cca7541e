"""Shared request helpers: authentication, look-ups, query-string parsing, JSON responses."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from flask import Response, request
from msgspec import inspect
from sqlalchemy import select

from losswise.protocol.limits import INT64_MAX, INT64_MIN
from losswise.protocol.records import storable_text

from ..accounts.permissions import Access, access_of, key_of
from ..accounts.projects import readable_projects
from ..db.models import Graph, Project, Session
from ..exceptions import ApiError
from ..extensions import db
from ..ingest import json_body
from ..ingest.schema_errors import sentence
from ..middleware.admission import Policy, Slot, controller

MAX_BODY_BYTES = 4 * 1024 * 1024  # of an edit: a hundred thousand ids take 2.3 MB
MAX_LOOKUPS = 500  # ids in one query
MAX_OFFSET_S = 24 * 3_600  # between clocks
UtcOffset = Annotated[int, msgspec.Meta(ge=-MAX_OFFSET_S, le=MAX_OFFSET_S)]
"""Seconds that the clock of who asks is ahead of UTC."""
MIN_COMPRESSED_BYTES = 4096  # less fits into a few packets anyway
# A quarter of the bytes for 10 ms a megabyte; higher levels take several times as long.
GZIP_LEVEL = 1

Body = TypeVar("Body")


def require_access() -> Access:
    """The access of the request's API key or signed-in user. Raises ApiError (401) if there is none."""
    access = access_of(request)
    if access is None:
        message = (
            "this API key is not known here"
            if key_of(request)
            else "an API key is missing: send it as 'Authorization: KEY', or sign in"
        )
        raise ApiError(401, "unauthorized", message)
    return access


def require_key() -> Access:
    """The access of the request's API key; a cookie is not enough. Raises ApiError (401)."""
    if key_of(request) is None:
        raise ApiError(401, "unauthorized", "an API key is missing: send it as 'Authorization: KEY'")
    return require_access()


@contextmanager
def admitted(policy: Policy) -> Iterator[Slot]:
    """Hold a slot for this write request (middleware/admission.py), without a database connection while it waits."""
    db.session.rollback()
    with controller.admit(policy, request.environ.get("gunicorn.socket")) as slot:
        yield slot


def session_key(session_id: str, access: Access, write: bool = False) -> int:
    """The database key of a session that may be read, or written. Raises ApiError (404 or 403) if it may not."""
    row = db.session.execute(_SESSIONS.where(Session.id == session_id)).first()
    return _checked_key(session_id, row, access, write)


_SESSIONS = select(Session.key, Project, Session.id).join(Project, Project.id == Session.project_id)


def _checked_key(session_id: str, row: Any, access: Access, write: bool) -> int:
    if row is None or not access.may_read(row[1]):
        raise ApiError(404, "unknown_session", f"there is no session {session_id[:40]}")
    if write and not access.may_write(row[1]):
        raise ApiError(403, "forbidden", "you may view this session, but not change it")
    return int(row[0])


def writable_sessions(session_ids: set[str], access: Access) -> tuple[dict[str, int], dict[str, ApiError]]:
    """The database keys of the sessions that may be written, and for each of the others what `session_key` raises."""
    rows: dict[str, Any] = {}
    ids = list(session_ids)
    for start in range(0, len(ids), MAX_LOOKUPS):
        found = db.session.execute(_SESSIONS.where(Session.id.in_(ids[start : start + MAX_LOOKUPS])))
        rows.update((row.id, row) for row in found)
    keys: dict[str, int] = {}
    errors: dict[str, ApiError] = {}
    for id_ in ids:
        try:
            keys[id_] = _checked_key(id_, rows.get(id_), access, write=True)
        except ApiError as error:
            errors[id_] = error
    return keys, errors


def names_of_graphs(session_key: int, graph_ids: set[str]) -> dict[str, list[str]]:
    """The names that each of these graphs has; those that the session does not have are left out."""
    names: dict[str, list[str]] = {}
    ids = list(graph_ids)
    for start in range(0, len(ids), MAX_LOOKUPS):
        query = select(Graph.id, Graph.names).where(
            Graph.session_key == session_key, Graph.id.in_(ids[start : start + MAX_LOOKUPS])
        )
        names.update(db.session.execute(query).all())
    return names


def count_names(session_key: int) -> int:
    """How many names all graphs of a session have."""
    query = select(Graph.names).where(Graph.session_key == session_key)
    return sum(len(names) for (names,) in db.session.execute(query))


def selected_projects(access: Access) -> list[int]:
    """The ids of the projects that `project=` (a name) or `project_id=` select, otherwise of all readable ones."""
    projects = readable_projects(access)
    name, id_ = request.args.get("project"), request.args.get("project_id")
    if name is not None:
        projects = [project for project in projects if project.name == name]
    if id_ is not None:
        wanted = whole_number("project_id")
        projects = [project for project in projects if project.id == wanted]
    if not projects and (name is not None or id_ is not None):
        raise ApiError(404, "unknown_project", "there is no such project")
    return [project.id for project in projects]


def whole_number(name: str, default: int | None = None, least: int = INT64_MIN, most: int = INT64_MAX) -> Any:
    """A whole number of the query string; above `most` it is `most`.

    Raises:
        ApiError: with 400, if it is no whole number, or below `least`.
    """
    value = request.args.get(name)
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except ValueError:
        number = None
    if number is None or number < least:
        raise ApiError(400, "bad_request", f"'{name}' must be a whole number, {_at_least(least)}not {value[:40]!r}")
    return min(number, most)


def _at_least(least: int) -> str:
    return "" if least == INT64_MIN else f"at least {least}, "


def read_body(kind: type[Body]) -> Body:
    """The request's body. Raises ApiError, with a sentence, if it is none of this kind."""
    # a page of another site can have a form sent to here with a cookie, but not as this type: see middleware.security
    if key_of(request) is None and not request.is_json:
        raise ApiError(415, "not_json", "send JSON, as 'Content-Type: application/json'")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise ApiError(413, "too_large", f"the body has at most {MAX_BODY_BYTES:,} bytes")
    try:
        return msgspec.convert(json_body.strict(request.get_data()), kind)
    except json_body.TooLarge as error:
        raise ApiError(413, "too_large", str(error)) from None
    except json_body.MalformedBody as error:
        raise ApiError(400, "bad_json", str(error)) from None
    except msgspec.ValidationError as error:
        raise ApiError(400, "bad_request", sentence(str(error))) from None


def read_query(kind: type[Body]) -> Body:
    """The request's query string, as a struct with fields of text, whole numbers, and lists of texts.

    A name that is given several times is a list, where the struct has one; otherwise its first value counts. Names that
    the struct does not have are ignored, and so is a number without digits. A number above the greatest (`Meta(le=)`)
    is the greatest.

    Raises:
        ApiError: with 400, with a sentence, for what is missing or is none of its type.

    Example:
        >>> class Page(msgspec.Struct):
        ...     q: str = ""
        ...     limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100
    """
    given: dict[str, Any] = {}
    hashable: Any = kind  # mypy does not know that a type is
    for field in _query_fields(hashable):
        values = [storable_text(value) for value in request.args.getlist(field.encode_name)]
        if not values:
            continue
        types = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        number = next((each for each in types if isinstance(each, inspect.IntType)), None)
        if number is not None:
            least, most = INT64_MIN if number.ge is None else number.ge, INT64_MAX if number.le is None else number.le
            value = whole_number(field.encode_name, None, least, most)
            given |= {} if value is None else {field.encode_name: value}
        elif any(isinstance(each, inspect.ListType) for each in types):
            given[field.encode_name] = values
        else:
            given[field.encode_name] = values[0]
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        raise ApiError(400, "bad_request", sentence(str(error))) from None


@cache
def _query_fields(kind: type) -> tuple[inspect.Field, ...]:
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return described.fields


def json_response(value: Any, status: int = 200) -> Response:
    """A JSON response, compressed if it is long and the client accepts gzip."""
    body = msgspec.json.encode(value)
    response = Response(body, status=status, mimetype="application/json")
    response.vary.add("Accept-Encoding")
    if len(body) >= MIN_COMPRESSED_BYTES and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(body, GZIP_LEVEL, mtime=0))
        response.content_encoding = "gzip"
    return response
