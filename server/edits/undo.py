"""Take back an edit, as far as the sessions still have what it set."""

from __future__ import annotations

from typing import Any

from ..accounts.permissions import Access
from ..db.engine import writing
from ..live import changes as live_changes
from ..sessions.labels import tag_states, with_tag_states
from . import record
from .editing import Outcome
from .fields import COLUMNS, PROJECT, SEARCHED, Row, columns_with, value_of
from .saving import EditedRow, save
from .selection import Projects, Skipped, lock_sessions, permitted

CHANGED_SINCE = "it was changed again since"
NO_WAY_BACK = "you may not move it back to the project that it came from"


def undo(token: str, access: Access, projects: Projects, now: float) -> Outcome:
    """Set back what the edit has set, field by field and tag by tag. What was changed since stays, and is counted.

    A session of which only a part was set back is counted in both.

    Raises:
        ApiError: with 404, if there is no such edit: see record.take.
    """
    skipped = Skipped(only=None)
    edited = []
    with writing() as connection:
        changes = record.take(connection, token, access, now)
        columns = COLUMNS | (SEARCHED if changes.is_searched else set())
        rows = lock_sessions(connection, list(changes.sessions), columns)
        for row in permitted(rows, len(changes.sessions), projects, skipped):
            before, tags = changes.sessions[row["key"]]
            new, reasons = _set_back(row, changes.after, before, tags, projects)
            for reason in sorted(reasons):
                skipped.add(reason)
            if new:
                edited.append(EditedRow(row, new))
        if edited:
            record.discard(connection, token)
        announced = live_changes.announced(save(connection, edited))
        for change in announced:
            live_changes.notify(connection, change)
    for change in announced:
        live_changes.committed(change)
    return Outcome([one.row["key"] for one in edited], skipped)


def _set_back(
    row: Row, after: dict[str, Any], before: dict[str, Any], tags: record.TagChanges, projects: Projects
) -> tuple[dict[str, Any], set[str]]:
    """The columns of a session that change, and the reasons why some of it stays."""
    columns: dict[str, Any] = {}
    reasons: set[str] = set()
    for field, value in before.items():
        current = value_of(row, field)
        if current == value:
            continue
        if current != after[field]:
            reasons.add(CHANGED_SINCE)
        elif field == PROJECT and not _may_return(row, value, projects):
            reasons.add(NO_WAY_BACK)
        else:
            columns.update(columns_with(row, field, value))
    states = tag_states(row)
    new = dict(states)
    for tag, (old, set_) in tags.items():
        if states.get(tag) == old:
            continue
        if states.get(tag) != set_:
            reasons.add(CHANGED_SINCE)
        elif old is None:
            del new[tag]
        else:
            new[tag] = old
    if new != states:
        columns.update(with_tag_states(row, new))
    return columns, reasons


def _may_return(row: Row, project: int, projects: Projects) -> bool:
    organizations = projects.organizations
    return project in projects.writable and organizations[project] == organizations[row["project_id"]]
