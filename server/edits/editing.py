"""Edit sessions: all that a request names, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import UNSET

from ..accounts.permissions import Access
from ..db.engine import writing
from ..exceptions import ApiError
from ..live import changes as live_changes
from ..sessions.labels import edited_tag_states, tag_states, with_tag_states
from . import record
from .fields import COLUMNS, FIELDS, NOTE, PROJECT, SEARCHED, Row, columns_with, is_set, value_of
from .saving import EditedRow, save
from .schema import Edit
from .selection import Projects, Selected, Skipped, check_permitted, lock_sessions, permitted

MAX_TAGS = 1_000  # of a session
TOO_MANY_TAGS = f"a session has at most {MAX_TAGS:,} tags"
OTHER_ORGANIZATION = "a session cannot be moved to another organization"


class Outcome(NamedTuple):
    """What became of an edit or of an undo.

    Attributes:
        changed: the keys of the sessions that were changed.
        undo: the token that takes the edit back; None if nothing was changed.
    """

    changed: list[int]
    skipped: Skipped
    undo: str | None = None


def edit_sessions(selected: Selected, edit: Edit, access: Access, projects: Projects, now: float) -> Outcome:
    """Edit the sessions; what they have already is left as it is.

    Raises:
        ApiError: the edit makes no sense (400), or is of a note that has been changed (409); the only session, or the
            project that they are moved to, does not exist or may not be changed (404, 403).
    """
    wanted = _wanted(edit, now)
    _check(edit, wanted, selected)
    if PROJECT in wanted:
        check_permitted(projects, wanted[PROJECT])
    skipped = Skipped(selected.only)
    changes = record.Changes(wanted)
    edited = []
    with writing() as connection:
        rows = lock_sessions(connection, selected.keys, COLUMNS | (SEARCHED if _is_searched(edit) else set()))
        for row in permitted(rows, selected.total, projects, skipped):
            _check_note(row, edit)
            if _is_elsewhere(row, wanted, projects):
                skipped.add(OTHER_ORGANIZATION, status=403)
                continue
            columns, before, tags = _edited(row, edit, wanted)
            if len(columns.get("tags", ())) > MAX_TAGS:
                skipped.add(TOO_MANY_TAGS, status=400, code="bad_request")
                continue
            if columns:
                edited.append(EditedRow(row, columns))
                changes.sessions[row["key"]] = before, tags
        announced = live_changes.announced(save(connection, edited))
        token = changes.store(connection, access, now)
        for change in announced:
            live_changes.notify(connection, change)
    for change in announced:
        live_changes.committed(change)
    return Outcome(list(changes.sessions), skipped, token)


def _wanted(edit: Edit, now: float) -> dict[str, Any]:
    """The values of the fields that the edit sets."""
    wanted = {name: value for name in FIELDS if (value := getattr(edit, name, UNSET)) is not UNSET}
    if edit.tag is not UNSET:
        wanted["tag"] = (edit.tag or "").strip() or None
    for name in ("archived", "deleted"):
        is_there = getattr(edit, name)
        if is_there is not UNSET:
            wanted[f"{name}_at"] = now if is_there else None
    return wanted


def _tags(edit: Edit) -> tuple[list[str], list[str]]:
    """The tags to add and to remove."""
    add = [] if edit.add_tags is UNSET else [tag.strip() for tag in edit.add_tags]
    return add, [] if edit.remove_tags is UNSET else edit.remove_tags


def _is_searched(edit: Edit) -> bool:
    """Whether the text that the search field looks through may change."""
    return any(part is not UNSET for part in (edit.tag, edit.add_tags, edit.remove_tags, edit.note))


def _check(edit: Edit, wanted: Mapping[str, Any], selected: Selected) -> None:
    """Raise ApiError (400) if the edit makes no sense."""
    add, remove = _tags(edit)
    message = None
    if edit.note_version is not UNSET and (edit.note is UNSET or selected.only is None):
        message = "'note_version' goes with the 'note' of a single session"
    elif not wanted and edit.add_tags is UNSET and edit.remove_tags is UNSET:
        message = "'edit' names nothing to change"
    elif "" in add:
        message = "a tag in 'add_tags' is blank"
    elif set(add) & set(remove):
        message = "a tag is both in 'add_tags' and in 'remove_tags'"
    if message is not None:
        raise ApiError(400, "bad_request", message)


def _check_note(row: Row, edit: Edit) -> None:
    """Raise ApiError (409) if the note is newer than the one that was read."""
    if edit.note_version not in (UNSET, row["note_version"]):
        message = "somebody has changed the note meanwhile"
        raise ApiError(409, "note_changed", message, note=row[NOTE], note_version=row["note_version"])


def _is_elsewhere(row: Row, wanted: Mapping[str, Any], projects: Projects) -> bool:
    """Whether the session would be moved to another organization."""
    organizations = projects.organizations
    return PROJECT in wanted and organizations[wanted[PROJECT]] != organizations[row["project_id"]]


def _edited(
    row: Row, edit: Edit, wanted: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], record.TagChanges]:
    """The columns of a session that change, the fields' values before, and how its tags change."""
    columns: dict[str, Any] = {}
    before: dict[str, Any] = {}
    for field, value in wanted.items():
        if not is_set(row, field, value):
            columns.update(columns_with(row, field, value))
            before[field] = value_of(row, field)
    states, new = tag_states(row), edited_tag_states(row, *_tags(edit))
    changed = {tag: [states.get(tag), new.get(tag)] for tag in {**states, **new} if states.get(tag) != new.get(tag)}
    if changed:
        columns.update(with_tag_states(row, new))
    return columns, before, changed
