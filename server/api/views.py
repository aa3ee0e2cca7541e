"""Saved views of a project's page, and addresses that are too long for an address bar."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import msgspec
from flask import Blueprint, Response
from sqlalchemy import Connection, Row

from losswise.protocol.records import storable_text

from ..accounts import addresses, views
from ..accounts.views import Viewer
from ..db.engine import reading, writing
from ..db.models import Project
from ..exceptions import ApiError
from ..extensions import db
from .requests import json_response, read_body, read_query, require_access

bp = Blueprint("views", __name__, url_prefix="/api/v2/views")

MAX_SEARCH_CHARS = 256 * 1024  # 11,000 selected sessions
MAX_NAME_CHARS = 200

Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARS)]
Search = Annotated[str, msgspec.Meta(max_length=MAX_SEARCH_CHARS)]


class NewView(msgspec.Struct, forbid_unknown_fields=True):
    """A view to be saved; `search` is the page's address from '?' on."""

    project_id: int
    name: Name
    search: Search
    shared: bool = False


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """A change of a view whose version is known."""

    version: int
    name: Name | None = None
    search: Search | None = None


class Default(msgspec.Struct, forbid_unknown_fields=True):
    """The view that a project's page opens with: for whom, and which; None for none."""

    project_id: int
    by: Literal["me", "project"] = "me"
    view: str | None = None


class Address(msgspec.Struct, forbid_unknown_fields=True):
    """An address that is to be stored."""

    project_id: int
    search: Search


class InProject(msgspec.Struct):
    """Of which project."""

    project_id: int = -1


@bp.get("")
def list_views() -> Response:
    viewer = viewer_of(read_query(InProject).project_id)
    with reading() as connection:
        found = {"views": views.list_views(connection, viewer), "default": views.read_defaults(connection, viewer)}
    return json_response(found)


@bp.post("")
def post_view() -> Response:
    body = read_body(NewView)
    viewer = viewer_of(body.project_id)
    name = _checked_name(body.name)
    with writing() as connection:
        id_ = views.create_view(connection, viewer, name, body.shared, _checked_search(body.search))
        return json_response(_as_json(connection, id_, viewer), 201)


@bp.get("/<view_id>")
def show_view(view_id: str) -> Response:
    view, viewer = _find(view_id)
    return json_response(views.as_json(view, viewer))


@bp.patch("/<view_id>")
def patch_view(view_id: str) -> Response:
    body = read_body(Change)
    view, viewer = _find(view_id, write=True)
    name = None if body.name is None else _checked_name(body.name)
    search = None if body.search is None else _checked_search(body.search)
    with writing() as connection:
        views.change_view(connection, viewer, view, body.version, name, search)
        return json_response(_as_json(connection, view_id, viewer))


@bp.delete("/<view_id>")
def delete_view(view_id: str) -> Response:
    _find(view_id, write=True)
    with writing() as connection:
        views.delete_view(connection, view_id, time.time())
    return json_response({"deleted": view_id})


@bp.post("/<view_id>/restore")
def restore_view(view_id: str) -> Response:
    """Undo the deletion of a view."""
    view, viewer = _find(view_id, write=True, deleted=True)
    with writing() as connection:
        views.restore_view(connection, viewer, view)
        return json_response(_as_json(connection, view_id, viewer))


@bp.put("/default")
def put_default() -> Response:
    body = read_body(Default)
    viewer = viewer_of(body.project_id)
    for_project = body.by == "project"
    if for_project and not viewer.may_write:
        raise ApiError(403, "forbidden", "you may view this project, but not change it")
    if viewer.user_id is None and not for_project:
        raise ApiError(403, "forbidden", "this is a person's: sign in, or use a key of your own")
    with writing() as connection:
        view = None if body.view is None else views.find_view(connection, body.view)
        if body.view is not None and (view is None or not viewer.sees(view)):
            raise _unknown_view()
        if for_project and view is not None and not view.shared:
            raise ApiError(400, "bad_request", "a private view cannot be the project's default: others do not see it")
        views.set_default(connection, viewer, for_project, body.view)
        return json_response({"default": views.read_defaults(connection, viewer)})


@bp.post("/addresses")
def post_address() -> Response:
    body = read_body(Address)
    viewer = viewer_of(body.project_id)
    with writing() as connection:
        id_ = addresses.store_address(connection, viewer.project_id, _checked_search(body.search), time.time())
    return json_response({"id": id_})


@bp.get("/addresses/<id_>")
def show_address(id_: str) -> Response:
    viewer = viewer_of(read_query(InProject).project_id)
    search = addresses.open_address(viewer.project_id, id_, time.time())
    if search is None:
        raise ApiError(404, "unknown_address", "there is no such stored address")
    return json_response({"id": id_, "search": search})


def viewer_of(project_id: int) -> Viewer:
    """Who asks, in a project that they may read. Raises ApiError: they may not, or there is no such project (404)."""
    access = require_access()
    project = db.session.get(Project, project_id) if 0 <= project_id < 2**31 else None
    if project is None or not access.may_read(project):
        raise ApiError(404, "unknown_project", "there is no such project")
    viewer = Viewer(project.id, access.user_id, access.may_write(project))
    db.session.rollback()
    return viewer


def _find(view_id: str, write: bool = False, deleted: bool = False) -> tuple[Row[Any], Viewer]:
    """A view that who asks sees. Raises ApiError: they do not, or there is none (404); they may not change it (403)."""
    require_access()
    with reading() as connection:
        view = views.find_view(connection, view_id, deleted)
    if view is None:
        raise _unknown_view()
    try:
        viewer = viewer_of(view.project_id)
    except ApiError:
        raise _unknown_view() from None
    if not viewer.sees(view):
        raise _unknown_view()
    if write and not viewer.may_change(view):
        raise ApiError(403, "forbidden", "this view is the project's, which you may not change: save your own")
    return view, viewer


def _unknown_view() -> ApiError:
    return ApiError(404, "unknown_view", "there is no such view")


def _as_json(connection: Connection, view_id: str, viewer: Viewer) -> dict[str, Any]:
    view = views.find_view(connection, view_id)
    assert view is not None
    return views.as_json(view, viewer)


def _checked_name(name: str) -> str:
    name = " ".join(storable_text(name).split())
    if not name:
        raise ApiError(400, "bad_request", "'name' must not be empty")
    return name


def _checked_search(search: str) -> str:
    if search and not search.startswith("?"):
        raise ApiError(400, "bad_request", "'search' is the part of an address from '?' on")
    return storable_text(search)
