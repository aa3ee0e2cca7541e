"""Saved views: what a project's page shows, under a name; and which of them a project opens with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from losswise.protocol.records import new_id

from ..db.engine import insert_or_update
from ..db.models import User
from ..db.view_models import NOBODY, DefaultView, View
from ..exceptions import ApiError

MAX_VIEWS = 500
"""The project's views, and a person's own ones in it."""

_views = View.__table__
_defaults = DefaultView.__table__
_query = select(_views, User.name.label("owner_name"), User.email).outerjoin(User, User.id == _views.c.owner_id)


@dataclass(frozen=True)
class Viewer:
    """Who looks at a project that they may read.

    Attributes:
        user_id: None for a key of an organization, which has no views of its own.
        may_write: whether they may change the project, and so its views.
    """

    project_id: int
    user_id: int | None
    may_write: bool

    def sees(self, view: Any) -> bool:
        return view.project_id == self.project_id and (view.shared or self._owns(view))

    def may_change(self, view: Any) -> bool:
        return self.may_write if view.shared else self._owns(view)

    def _owns(self, view: Any) -> bool:
        return view.owner_id is not None and view.owner_id == self.user_id


def list_views(connection: Connection, viewer: Viewer) -> list[dict[str, Any]]:
    """The views that the viewer sees: the project's, then their own, each by name."""
    order = (_views.c.shared.desc(), func.lower(_views.c.name), _views.c.id)
    rows = connection.execute(_query.where(_seen_by(viewer)).order_by(*order)).all()
    return [as_json(row, viewer) for row in rows]


def _seen_by(viewer: Viewer) -> ColumnElement[bool]:
    own = and_(_views.c.owner_id.is_not(None), _views.c.owner_id == viewer.user_id)
    return and_(_views.c.project_id == viewer.project_id, or_(_views.c.shared, own))


def find_view(connection: Connection, view_id: str) -> Row[Any] | None:
    """A view, whoever asks: check with `Viewer.sees`."""
    return connection.execute(_query.where(_views.c.id == view_id)).first()


def as_json(view: Row[Any], viewer: Viewer) -> dict[str, Any]:
    return {
        "id": view.id,
        "project_id": view.project_id,
        "name": view.name,
        "shared": view.shared,
        "owner": view.owner_name or view.email,
        "search": view.search,
        "version": view.version,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "may_change": viewer.may_change(view),
    }


def create_view(connection: Connection, viewer: Viewer, name: str, shared: bool, search: str) -> str:
    """Save a view; returns its id.

    Raises:
        ApiError: the viewer may not (403), has one of this name (409), or has too many (400).
    """
    if viewer.user_id is None and not shared:
        raise ApiError(403, "forbidden", "a private view is a person's: sign in, or use a key of your own")
    if shared and not viewer.may_write:
        raise ApiError(403, "forbidden", "you may view this project, but not change it: save the view for yourself")
    _require_free(connection, viewer, name, shared)
    beside = _beside(viewer, shared)
    if connection.execute(select(func.count()).select_from(_views).where(beside)).scalar_one() >= MAX_VIEWS:
        raise ApiError(400, "too_many", f"there are {MAX_VIEWS} views already: delete one first")
    id_, now = new_id(), time.time()
    values = {"id": id_, "project_id": viewer.project_id, "owner_id": viewer.user_id, "name": name, "shared": shared}
    connection.execute(insert(_views).values(**values, search=search, version=1, created_at=now, updated_at=now))
    return id_


def _beside(viewer: Viewer, shared: bool) -> ColumnElement[bool]:
    """SQL condition: the views that are listed together with such a one."""
    mine = _views.c.shared if shared else and_(~_views.c.shared, _views.c.owner_id == viewer.user_id)
    return and_(_views.c.project_id == viewer.project_id, mine)


def _require_free(connection: Connection, viewer: Viewer, name: str, shared: bool, id_: str = "") -> None:
    """Raise ApiError (409) if another view beside it has this name."""
    taken = and_(_beside(viewer, shared), func.lower(_views.c.name) == name.lower(), _views.c.id != id_)
    found = connection.execute(select(_views.c.id).where(taken).limit(1)).scalar()
    if found is not None:
        raise ApiError(409, "name_taken", f"there is a view “{name}” already", view=found)


def change_view(
    connection: Connection, viewer: Viewer, view: Row[Any], version: int, name: str | None, search: str | None
) -> None:
    """Rename a view that the viewer may change, or replace what it shows.

    Args:
        version: of the view that the viewer knows.
        name, search: None to leave it.

    Raises:
        ApiError: with 409, if somebody has changed it since (`view` is then the view as it is now), or if another view
            has the name.
    """
    if name is not None:
        _require_free(connection, viewer, name, view.shared, view.id)
    changed = {key: value for key, value in (("name", name), ("search", search)) if value is not None}
    same = and_(_views.c.id == view.id, _views.c.version == version)
    statement = update(_views).where(same).values(**changed, version=version + 1, updated_at=time.time())
    if connection.execute(statement).rowcount:
        return
    now = find_view(connection, view.id)
    if now is None:
        raise ApiError(404, "unknown_view", "somebody has deleted this view")
    raise ApiError(409, "view_changed", "somebody has changed this view meanwhile", view=as_json(now, viewer))


def delete_view(connection: Connection, view_id: str) -> None:
    connection.execute(delete(_defaults).where(_defaults.c.view_id == view_id))
    connection.execute(delete(_views).where(_views.c.id == view_id))


def set_default(connection: Connection, viewer: Viewer, for_project: bool, view_id: str | None) -> None:
    """Have the project's page open with a view, for the viewer or for the project; None: with none."""
    user_id = NOBODY if for_project else viewer.user_id
    key = {"project_id": viewer.project_id, "user_id": user_id}
    if view_id is None:
        connection.execute(delete(_defaults).filter_by(**key))
        return
    statement = insert_or_update(connection, _defaults).values(**key, view_id=view_id)
    changed = statement.on_conflict_do_update(index_elements=list(key), set_={"view_id": view_id})
    connection.execute(changed)


def read_defaults(connection: Connection, viewer: Viewer) -> dict[str, str | None]:
    """{"mine", "project"}: the ids of the views that the project's page opens with, the first of them that there is."""
    users = (NOBODY,) if viewer.user_id is None else (NOBODY, viewer.user_id)
    where = and_(_defaults.c.project_id == viewer.project_id, _defaults.c.user_id.in_(users))
    rows = connection.execute(select(_defaults.c.user_id, _defaults.c.view_id).where(where))
    found: dict[int, str] = {row.user_id: row.view_id for row in rows}
    return {"mine": found.get(viewer.user_id or -1), "project": found.get(NOBODY)}
