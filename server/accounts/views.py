"""Saved views: what a project's page shows, under a name; and which of them a project opens with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from losswise.protocol.records import new_id

from ..db.engine import insert_or_update, reading, writing
from ..db.many_rows import is_among
from ..db.models import User
from ..db.view_models import NOBODY, DefaultView, View
from ..exceptions import ApiError

MAX_VIEWS = 500
"""The project's views, and a person's own ones in it."""
DELETED_KEPT_S = 24 * 3_600.0
"""How long the deletion of a view can be undone."""

_views = View.__table__
_defaults = DefaultView.__table__
_all = select(_views, User.name.label("owner_name"), User.email).outerjoin(User, User.id == _views.c.owner_id)
_is_there = _views.c.deleted_at.is_(None)


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
    rows = connection.execute(_all.where(_is_there, _seen_by(viewer)).order_by(*order)).all()
    return [as_json(row, viewer) for row in rows]


def _seen_by(viewer: Viewer) -> ColumnElement[bool]:
    own = and_(_views.c.owner_id.is_not(None), _views.c.owner_id == viewer.user_id)
    return and_(_views.c.project_id == viewer.project_id, or_(_views.c.shared, own))


def find_view(connection: Connection, view_id: str, deleted: bool = False) -> Row[Any] | None:
    """A view, whoever asks: check with `Viewer.sees`.

    Args:
        deleted: whether one that has been deleted is found too.
    """
    query = _all.where(_views.c.id == view_id)
    return connection.execute(query if deleted else query.where(_is_there)).first()


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
    values = {"id": id_, "project_id": viewer.project_id, "owner_id": viewer.user_id, "shared": shared}
    values |= {"search": search, "version": 1, "created_at": now, "updated_at": now, **_named(name)}
    with _name_taken_meanwhile(connection, viewer, name, shared):
        connection.execute(insert(_views).values(**values))
    return id_


def _named(name: str) -> dict[str, str]:
    """The columns of a name."""
    return {"name": name, "name_key": name.casefold()}


def _beside(viewer: Viewer, shared: bool) -> ColumnElement[bool]:
    """SQL condition: the views that are listed together with such a one."""
    mine = _views.c.shared if shared else and_(~_views.c.shared, _views.c.owner_id == viewer.user_id)
    return and_(_is_there, _views.c.project_id == viewer.project_id, mine)


@contextmanager
def _name_taken_meanwhile(
    connection: Connection, viewer: Viewer, name: str, shared: bool, id_: str = ""
) -> Iterator[None]:
    """Raise ApiError (409) where the database finds that another request has just used the name."""
    try:
        with connection.begin_nested():
            yield
    except IntegrityError:
        _require_free(connection, viewer, name, shared, id_)
        raise ApiError(409, "name_taken", f"there was a view “{name}” a moment ago: try again") from None


def _require_free(connection: Connection, viewer: Viewer, name: str, shared: bool, id_: str = "") -> None:
    """Raise ApiError (409) if another view beside it has this name."""
    taken = and_(_beside(viewer, shared), _views.c.name_key == name.casefold(), _views.c.id != id_)
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
    changed: dict[str, Any] = {} if search is None else {"search": search}
    if name is not None:
        _require_free(connection, viewer, name, view.shared, view.id)
        changed |= _named(name)
    same = and_(_views.c.id == view.id, _is_there, _views.c.version == version)
    statement = update(_views).where(same).values(**changed, version=version + 1, updated_at=time.time())
    with _name_taken_meanwhile(connection, viewer, name or view.name, view.shared, view.id):
        if connection.execute(statement).rowcount:
            return
    now = find_view(connection, view.id)
    if now is None:
        raise ApiError(404, "unknown_view", "somebody has deleted this view")
    raise ApiError(409, "view_changed", "somebody has changed this view meanwhile", view=as_json(now, viewer))


def delete_view(connection: Connection, view_id: str, now: float) -> None:
    """Delete a view so that `restore_view` can bring it back for a day; nobody sees it meanwhile."""
    connection.execute(update(_views).where(_views.c.id == view_id, _is_there).values(deleted_at=now))


def restore_view(connection: Connection, viewer: Viewer, view: Row[Any]) -> None:
    """Bring a deleted view back, which the viewer may change: with its id, its owner, and those whose default it was.

    Raises:
        ApiError: with 409, if another view has its name by now; with 404, if it has been deleted for good.
    """
    if view.deleted_at is None:
        return
    _require_free(connection, viewer, view.name, view.shared, view.id)
    statement = update(_views).where(_views.c.id == view.id).values(deleted_at=None)
    with _name_taken_meanwhile(connection, viewer, view.name, view.shared, view.id):
        if not connection.execute(statement).rowcount:
            raise ApiError(404, "unknown_view", "there is no such view")


def forget_views(now: float) -> int:
    """Delete for good the views that were deleted a day before `now` (unix seconds), or earlier; returns how many."""
    old = _views.c.deleted_at <= now - DELETED_KEPT_S
    with reading() as connection:
        if connection.execute(select(_views.c.id).where(old).limit(1)).first() is None:
            return 0
    with writing() as connection:
        gone = list(connection.execute(delete(_views).where(old).returning(_views.c.id)).scalars())
        connection.execute(delete(_defaults).where(is_among(connection, _defaults.c.view_id, gone)))
    return len(gone)


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
    query = select(_defaults.c.user_id, _defaults.c.view_id).join(_views, _views.c.id == _defaults.c.view_id)
    rows = connection.execute(query.where(where, _is_there))
    found: dict[int, str] = {row.user_id: row.view_id for row in rows}
    return {"mine": found.get(viewer.user_id or -1), "project": found.get(NOBODY)}
