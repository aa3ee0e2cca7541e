"""Addresses of a project's page that are too long for an address bar: stored, and found by a short id."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, delete, func, select

from ..db.engine import insert_or_update, reading, writing
from ..db.view_models import StoredAddress

KEPT_S = 365 * 24 * 3_600.0  # after its last use
MAX_STORED = 20_000  # of a project: those that were used last are kept
TOUCHED_S = 24 * 3_600.0  # how exact `used_at` is: opening a page does not write each time

_table = StoredAddress.__table__


def store_address(connection: Connection, project_id: int, search: str, now: float) -> str:
    """Store an address, from '?' on; returns its id, which is the same for the same text."""
    id_ = hashlib.blake2b(search.encode(), digest_size=10).hexdigest()
    statement = insert_or_update(connection, _table).values(project_id=project_id, id=id_, search=search, used_at=now)
    used = statement.on_conflict_do_update(index_elements=["project_id", "id"], set_={"used_at": now})
    connection.execute(used)
    return id_


def read_address(connection: Connection, project_id: int, id_: str) -> tuple[str, float] | None:
    """A stored address of the project, and when it was last used (unix seconds); None if there is none."""
    query = select(_table.c.search, _table.c.used_at).where(_table.c.project_id == project_id, _table.c.id == id_)
    row = connection.execute(query).first()
    return None if row is None else (row.search, row.used_at)


def open_address(project_id: int, id_: str, now: float) -> str | None:
    """A stored address of the project, which is kept for another year; None if there is none."""
    with reading() as connection:
        found = read_address(connection, project_id, id_)
    if found is None:
        return None
    search, used_at = found
    if now - used_at > TOUCHED_S:
        with writing() as connection:
            store_address(connection, project_id, search, now)
    return search


def forget_addresses(now: float) -> int:
    """Delete what nobody has used for a year at `now` (unix seconds), and what is beyond MAX_STORED.

    Returns how many.
    """
    old = _table.c.used_at < now - KEPT_S
    counts = select(_table.c.project_id, func.count()).group_by(_table.c.project_id).having(func.count() > MAX_STORED)
    with reading() as connection:
        has_old = connection.execute(select(_table.c.id).where(old).limit(1)).first() is not None
        crowded = [project for project, _ in connection.execute(counts)]
    if not has_old and not crowded:
        return 0
    with writing() as connection:
        forgotten = connection.execute(delete(_table).where(old)).rowcount
        for project in crowded:
            of_project = _table.c.project_id == project
            newest = select(_table.c.used_at).where(of_project).order_by(_table.c.used_at.desc())
            since = connection.execute(newest.offset(MAX_STORED).limit(1)).scalar()
            if since is not None:
                forgotten += connection.execute(delete(_table).where(of_project, _table.c.used_at <= since)).rowcount
    return forgotten
