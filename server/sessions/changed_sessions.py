"""What has changed in the list of sessions since a reader's cursor: new, changed, begun to match, or gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, select

from ..db.change_models import Removal
from ..db.keyset import write_cursor
from ..db.models import Session
from .change_numbers import Cursor, current_cursor, is_after, is_outdated
from .listing import check_status, matching_query, read_rows
from .places import CURRENT, is_in

MAX_CHANGES = 1_000

_columns = Session.__table__.c
_removals = Removal.__table__.c


def read_changes(
    connection: Connection,
    projects: Sequence[int],
    since: Cursor | None,
    *,
    q: str = "",
    status: str | None = None,
    place: str = CURRENT,
    offset: float = 0.0,
) -> dict[str, Any]:
    """The changes of some projects' sessions since a cursor, as far as the list of a query and a status shows them.

    Args:
        connection: of `db.engine.reading`: the new cursor is of the same snapshot as the sessions.
        projects: their ids.
        since: a cursor of the list or of the changes; None for the current cursor alone.
        q, status, place, offset: as in listing.list_sessions.

    Returns:
        {"cursor"} without `since`; {"cursor", "reset": True} if the list is to be read again, because too much has
        changed or the cursor is outdated; else {"cursor", "sessions", "new", "gone", "removed"}: the changed sessions
        that match, in the order of their numbers; the ids of those that were created since; the ids of changed sessions
        that do not match now, or have been deleted or have left the project; of these, the latter.

    Raises:
        ApiError: as in listing.list_sessions.
    """
    check_status(status)
    now = current_cursor(connection, projects)
    result: dict[str, Any] = {"cursor": write_cursor(now)}
    if since is None:
        return result
    if is_outdated(connection, since, now):
        return {**result, "reset": True}
    changed = _changed(connection, projects, since)
    removed = _removed(connection, projects, since)
    if len(changed) + len(removed) > MAX_CHANGES:
        return {**result, "reset": True}
    keys = [key for key, _ in changed]
    within = matching_query(connection, and_(_columns.key.in_(keys), is_in(place)), q, offset)
    if status:
        within = and_(within, _columns.status == status)
    matching = set(connection.execute(select(_columns.key).where(within)).scalars())
    new = {id_ for key, id_ in changed if key > since.newest_key}
    sessions = read_rows(connection, [key for key in keys if key in matching])
    left = _left(connection, projects, removed)
    return {
        **result,
        "sessions": sessions,
        "new": [session["id"] for session in sessions if session["id"] in new],
        "gone": [*(id_ for key, id_ in changed if key not in matching), *left],
        "removed": left,
    }


def _changed(connection: Connection, projects: Sequence[int], since: Cursor) -> list[tuple[int, str]]:
    """(key, id) of the sessions that have changed, in the order of their numbers; one more than MAX_CHANGES at most."""
    query = (
        select(_columns.key, _columns.id)
        .where(_columns.project_id.in_(projects), is_after(_columns.change, since))
        .order_by(_columns.change, _columns.key)
        .limit(MAX_CHANGES + 1)
    )
    return [(row.key, row.id) for row in connection.execute(query)]


def _removed(connection: Connection, projects: Sequence[int], since: Cursor) -> list[str]:
    query = (
        select(_removals.session_id)
        .where(_removals.project_id.in_(projects), is_after(_removals.change, since))
        .order_by(_removals.change)
        .limit(MAX_CHANGES + 1)
    )
    return list(connection.execute(query).scalars())


def _left(connection: Connection, projects: Sequence[int], removed: list[str]) -> list[str]:
    """Those of the sessions that are not in one of the projects now: a session may have been moved back."""
    query = select(_columns.id).where(_columns.id.in_(removed), _columns.project_id.in_(projects))
    back = set(connection.execute(query).scalars()) if removed else set()
    return [id_ for id_ in dict.fromkeys(removed) if id_ not in back]
