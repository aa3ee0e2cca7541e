"""What people change of a project: its description, the statistic that it is judged by, their own star."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select, update

from ..db.engine import insert_or_update
from ..db.models import Project
from ..db.project_models import ProjectBest, ProjectStar
from ..exceptions import ApiError

_projects = Project.__table__
_bests = ProjectBest.__table__
_stars = ProjectStar.__table__


EDITED = ("description", "best")
"""The columns of a project that people change."""


def change_project(
    connection: Connection, project_id: int, changed: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """Change columns of a project; after a change of `best`, its best value is looked for anew.

    Args:
        changed: the new values of some of EDITED.
        before: of some of EDITED, the values that they must have had.

    Raises:
        ApiError: with 409, if one of them is neither as in `before` nor as in `changed`; `project` then says what they
            are now. Nothing is changed.
    """
    query = select(*(_projects.c[name] for name in EDITED)).where(_projects.c.id == project_id)
    row = connection.execute(query.with_for_update()).mappings().first()
    if row is None:
        raise ApiError(404, "unknown_project", "there is no such project")
    now = dict(row)
    for name, value in (before or {}).items():
        if now[name] not in (value, changed.get(name, value)):
            raise ApiError(409, "project_changed", "somebody has changed this project meanwhile", project=now)
    connection.execute(update(_projects).where(_projects.c.id == project_id).values(**changed))
    if "best" in changed:
        connection.execute(delete(_bests).where(_bests.c.project_id == project_id))


def starred_projects(connection: Connection, user_id: int) -> set[int]:
    """The ids of the projects that have the user's star."""
    return set(connection.execute(select(_stars.c.project_id).where(_stars.c.user_id == user_id)).scalars())


def set_star(connection: Connection, user_id: int, project_id: int, starred: bool) -> None:
    """Give a project the user's star, or take it away."""
    key = {"user_id": user_id, "project_id": project_id}
    if starred:
        connection.execute(insert_or_update(connection, _stars).values(**key).on_conflict_do_nothing())
    else:
        connection.execute(delete(_stars).filter_by(**key))
