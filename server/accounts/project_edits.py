"""What people change of a project: its description, the statistic that it is judged by, their own star."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select, update

from ..db.engine import insert_or_update
from ..db.models import Project
from ..db.project_models import ProjectBest, ProjectStar

_projects = Project.__table__
_bests = ProjectBest.__table__
_stars = ProjectStar.__table__


def change_project(connection: Connection, project_id: int, **changed: Any) -> None:
    """Change columns of a project; after a change of `best`, its best value is looked for anew."""
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
