"""What a signed-in person, or the owner of a key, has set up in a project."""

from __future__ import annotations

from typing import Annotated

import msgspec
from flask import Blueprint, Response

from ..accounts.preferences import NAMES, read_preferences, write_preference
from ..db.engine import reading, writing
from ..db.models import Project
from ..exceptions import ApiError
from ..extensions import db
from .requests import json_response, read_body, require_access

bp = Blueprint("preferences", __name__, url_prefix="/api/v2/projects/<int:project_id>/preferences")

Key = Annotated[str, msgspec.Meta(max_length=600)]
Width = Annotated[int, msgspec.Meta(ge=20, le=2_000)]


class Columns(msgspec.Struct, forbid_unknown_fields=True):
    """The columns of a session table, by their keys, such as "params.lr".

    Attributes:
        shown: whether a column is shown, where that is not as it is by default.
        order: the columns in their order, those first that come first.
        widths: in pixels.
        pinned: those that stay at the left while the table is scrolled.
        differing: whether of all params those are shown that differ between the sessions, and no other.
    """

    shown: Annotated[dict[Key, bool], msgspec.Meta(max_length=2_000)] = {}
    order: Annotated[list[Key], msgspec.Meta(max_length=2_000)] = []
    widths: Annotated[dict[Key, Width], msgspec.Meta(max_length=2_000)] = {}
    pinned: Annotated[list[Key], msgspec.Meta(max_length=50)] = []
    differing: bool = False


@bp.get("")
def show_preferences(project_id: int) -> Response:
    user_id = _user_in(project_id)
    with reading() as connection:
        found = read_preferences(connection, user_id, project_id)
    return json_response({"preferences": found})


@bp.put("/<name>")
def put_preference(project_id: int, name: str) -> Response:
    user_id = _user_in(project_id)
    if name not in NAMES:
        raise ApiError(404, "unknown_preference", f"a preference is {' or '.join(NAMES)}, not {name[:40]!r}")
    value = msgspec.to_builtins(read_body(Columns))
    with writing() as connection:
        write_preference(connection, user_id, project_id, name, value)
    return json_response({name: value})


def _user_in(project_id: int) -> int:
    """The id of the person who asks. Raises ApiError: there is none (403), or the project may not be read (404)."""
    access = require_access()
    project = db.session.get(Project, project_id) if 0 <= project_id < 2**31 else None
    if project is None or not access.may_read(project):
        raise ApiError(404, "unknown_project", "there is no such project")
    if access.user_id is None:
        raise ApiError(403, "forbidden", "preferences are a person's: sign in, or use a key of your own")
    db.session.rollback()
    return access.user_id
