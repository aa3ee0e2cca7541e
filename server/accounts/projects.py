"""Find and create projects by name."""

from __future__ import annotations

import time

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from ..db.engine import insert_id, writing
from ..db.models import Project
from ..extensions import db
from .permissions import Access


def readable_projects(access: Access) -> list[Project]:
    """The projects that may be read, by name."""
    query = select(Project).where(Project.organization_id.in_(access.readable)).order_by(Project.name)
    if access.only_project is not None:
        query = query.where(Project.id == access.only_project)
    return list(db.session.scalars(query))


def project_named(access: Access, name: str | None) -> int | None:
    """The id of the project that a new session goes to; it is created if the organization has none of that name.

    Args:
        name: as the session record has it; None or blank for the key's default project.

    Returns None if the key may not write to it.
    """
    if name is None or not name.strip():
        return access.default_project
    name = name.strip()[:200]
    found = _find_project(access.organization_id, name)
    if found is None and access.only_project is None and access.organization_id is not None:
        found = _make_project(access.organization_id, name)
    return found if access.only_project in (None, found) else None


def _find_project(organization_id: int | None, name: str) -> int | None:
    return db.session.scalar(select(Project.id).where(Project.organization_id == organization_id, Project.name == name))


def _make_project(organization_id: int, name: str) -> int | None:
    db.session.rollback()  # a new transaction, which sees the new row or one that was created meanwhile
    try:
        with writing() as connection:
            insert_project(connection, organization_id, name)
    except IntegrityError:
        pass  # another request has just created it
    return _find_project(organization_id, name)


def insert_project(connection: Connection, organization_id: int, name: str) -> int:
    """Create a project; returns its id."""
    values = {"organization_id": organization_id, "name": name, "created_at": time.time()}
    return insert_id(connection, insert(Project.__table__).values(**values))
