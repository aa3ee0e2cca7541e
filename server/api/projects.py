"""The projects, and what people change of them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from flask import Blueprint, Response

from losswise.protocol.records import storable_text

from ..accounts.project_edits import change_project, set_star
from ..db.engine import reading, writing
from ..db.json_entries import STATISTIC
from ..db.models import Project
from ..exceptions import ApiError
from ..extensions import db
from ..maintenance.bests import best_task
from ..sessions.project_list import list_projects
from .requests import json_response, read_body, require_access

bp = Blueprint("projects_api", __name__, url_prefix="/api/v2/projects")

MAX_DESCRIPTION_CHARS = 2_000
MAX_STATISTIC_CHARS = 300


Description = Annotated[str, msgspec.Meta(max_length=MAX_DESCRIPTION_CHARS)]
Statistic = Annotated[str, msgspec.Meta(max_length=MAX_STATISTIC_CHARS)]


class Edited(msgspec.Struct, forbid_unknown_fields=True):
    """What people change of a project.

    Attributes:
        best: the statistic that the project is judged by, such as "min(val_loss)"; None: the usual one.
    """

    description: Description | msgspec.UnsetType = msgspec.UNSET
    best: Statistic | msgspec.UnsetType | None = msgspec.UNSET


class Change(Edited, forbid_unknown_fields=True):
    """A change of a project.

    Attributes:
        starred: the star of who asks.
        before: what the project must have had, so that the change of another person is not overwritten.
    """

    starred: bool | msgspec.UnsetType = msgspec.UNSET
    before: Edited | msgspec.UnsetType = msgspec.UNSET


@bp.get("")
def show_projects() -> Response:
    access = require_access()
    db.session.rollback()
    with reading() as connection:
        found = list_projects(connection, access)
    return json_response({"projects": found})


@bp.patch("/<int:project_id>")
def patch_project(project_id: int) -> Response:
    access = require_access()
    project = db.session.get(Project, project_id) if project_id < 2**31 else None
    if project is None or not access.may_read(project):
        raise ApiError(404, "unknown_project", "there is no such project")
    body = read_body(Change)
    changed = _checked(body)
    before = {} if body.before is msgspec.UNSET else _checked(body.before)
    if changed and not access.may_write(project):
        raise ApiError(403, "forbidden", "you may view this project, but not change it")
    if body.starred is not msgspec.UNSET and access.user_id is None:
        raise ApiError(403, "forbidden", "a star is a person's: sign in, or use a key of your own")
    db.session.rollback()
    with writing() as connection:
        if changed:
            change_project(connection, project_id, changed, before)
        if body.starred is not msgspec.UNSET and access.user_id is not None:
            set_star(connection, access.user_id, project_id, body.starred)
    if "best" in changed:
        best_task.wake()
    with reading() as connection:
        [found] = [each for each in list_projects(connection, access) if each["id"] == project_id]
    return json_response(found)


def _checked(edited: Edited) -> dict[str, Any]:
    """What is given, by column, as it is stored."""
    given: dict[str, Any] = {}
    if edited.description is not msgspec.UNSET:
        # with the line ends of a text field, which would look like a change otherwise
        given["description"] = "\n".join(storable_text(edited.description).strip().splitlines())
    if edited.best is not msgspec.UNSET:
        given["best"] = _checked_statistic(edited.best)
    return given


def _checked_statistic(name: str | None) -> str | None:
    if name is None:
        return None
    match = STATISTIC.fullmatch(name)
    if match is None or match[1] not in ("min", "max"):
        message = f"'best' is a statistic such as min(val_loss) or max(acc), not {name[:60]!r}"
        raise ApiError(400, "bad_request", message)
    return storable_text(name)
