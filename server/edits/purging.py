"""The sessions in the bin that a request may delete for good."""

from __future__ import annotations

from sqlalchemy import select

from ..db.engine import reading
from ..db.many_rows import is_among
from ..db.models import Session
from .selection import Projects, Selected, Skipped, permitted

NOT_IN_BIN = "only sessions in the bin are deleted for good"

_table = Session.__table__


def purgeable(selected: Selected, projects: Projects) -> tuple[list[int], Skipped]:
    """The keys of the sessions, and why others are left.

    Raises:
        ApiError: the only session does not exist or may not be changed (404, 403).
    """
    query = select(_table.c.key, _table.c.project_id, _table.c.deleted_at)
    with reading() as connection:
        found = connection.execute(query.where(is_among(connection, _table.c.key, selected.keys))).mappings()
        rows = [dict(row) for row in found]
    skipped = Skipped(selected.only)
    allowed = permitted(rows, selected.total, projects, skipped)
    keys = [row["key"] for row in allowed if row["deleted_at"] is not None]
    skipped.add(NOT_IN_BIN, len(allowed) - len(keys))
    return keys, skipped
