"""The fields of a session that people change, as an edit sets them and an undo sets them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..sessions.labels import given_tag, with_given_tag

Row = Mapping[str, Any]

NAME, NOTE, PROJECT = "tag", "note", "project_id"
TIMES = ("archived_at", "deleted_at")
FIELDS = (NAME, NOTE, "starred", *TIMES, PROJECT)

# what is read of a session to edit it: for all fields, and what the search text is made of beside them
COLUMNS = {"tag", "own_tag", "tags", "tag_edits", "note", "note_version", "starred", *TIMES}
SEARCHED = {"tag", "own_tag", "group_name", "tags", "params", "note"}


def value_of(row: Row, field: str) -> Any:
    """The field's value. That of `tag` is the name that people gave to the session; None if they gave none."""
    return given_tag(row) if field == NAME else row[field]


def is_set(row: Row, field: str, value: Any) -> bool:
    """Whether nothing would change. A session that is in the archive or in the bin stays there since when it is."""
    current = value_of(row, field)
    if field in TIMES:
        return (current is None) == (value is None)
    if field == NAME and current is None:
        return value in (None, row["tag"])
    return bool(current == value)


def columns_with(row: Row, field: str, value: Any) -> dict[str, Any]:
    """The columns that change when the field is set."""
    if field == NAME:
        return with_given_tag(row, value)
    if field == NOTE:
        return {NOTE: value, "note_version": row["note_version"] + 1}
    return {field: value}
