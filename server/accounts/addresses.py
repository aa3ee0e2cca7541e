"""Addresses of a project's page that are too long for an address bar: stored, and found by a short id."""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, delete, func, or_, select

from ..db.engine import insert_or_update, reading, writing
from ..db.view_models import StoredAddress

KEPT_S = 365 * 24 * 3_600.0  # after its last use
MAX_STORED = 20_000  # of a project: those that were used last are kept, as the next
MAX_BYTES = 64 * 1024 * 1024
TOUCHED_S = 24 * 3_600.0  # how exact `used_at` is: opening a page does not write each time

_table = StoredAddress.__table__


def store_address(connection: Connection, project_id: int, search: str, now: float) -> str:
    """Store an address, from '?' on; returns its id, which is the same for the same text.

    If those of the project are more than MAX_BYTES together then, those that nobody has used for longest are deleted.
    """
    text = search.encode()
    id_ = hashlib.blake2b(text, digest_size=10).hexdigest()
    row = {"project_id": project_id, "id": id_, "size": len(text), "search": search, "used_at": now}
    statement = insert_or_update(connection, _table).values(row)
    used = statement.on_conflict_do_update(index_elements=["project_id", "id"], set_={"used_at": now})
    connection.execute(used)
    stored = select(func.sum(_table.c.size)).where(_table.c.project_id == project_id)
    if connection.execute(stored).scalar_one() > MAX_BYTES:
        _delete_excess(connection, project_id)
    return id_


def _delete_excess(connection: Connection, project_id: int) -> int:
    """Delete the addresses of a project that are beyond its bounds, of those that were used last first.

    Returns how many.
    """
    newest = (_table.c.used_at.desc(), _table.c.id)
    within = _table.c.project_id == project_id
    ranked = (
        select(
            _table.c.id,
            func.row_number().over(order_by=newest).label("place"),
            func.sum(_table.c.size).over(order_by=newest).label("bytes"),
        )
        .where(within)
        .subquery("ranked")
    )
    excess = select(ranked.c.id).where(or_(ranked.c.place > MAX_STORED, ranked.c.bytes > MAX_BYTES))
    return connection.execute(delete(_table).where(within, _table.c.id.in_(excess))).rowcount


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
    """Delete what nobody has used for a year at `now` (unix seconds), and what is beyond MAX_STORED and MAX_BYTES.

    Returns how many.
    """
    old = _table.c.used_at < now - KEPT_S
    is_too_much = or_(func.count() > MAX_STORED, func.sum(_table.c.size) > MAX_BYTES)
    too_much = select(_table.c.project_id).group_by(_table.c.project_id).having(is_too_much)
    with reading() as connection:
        has_old = connection.execute(select(_table.c.id).where(old).limit(1)).first() is not None
        crowded = list(connection.execute(too_much).scalars())
    if not has_old and not crowded:
        return 0
    with writing() as connection:
        forgotten = connection.execute(delete(_table).where(old)).rowcount
        return forgotten + sum(_delete_excess(connection, project) for project in crowded)
