"""Write what was edited of locked sessions, and tell the pages that show them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..db.many_rows import update_rows
from ..db.models import Session
from ..live.changes import Change
from ..sessions.change_numbers import next_change, note_removals
from ..sessions.search import search_text
from .fields import SEARCHED, Row


class EditedRow(NamedTuple):
    """A session's row as it was, and the columns that change."""

    row: Row
    columns: dict[str, Any]


def save(connection: Connection, edited: list[EditedRow]) -> list[Change]:
    """Write the rows; returns what to announce."""
    rows = []
    for row, columns in edited:
        new = {"key": row["key"], "version": row["version"] + 1, **columns}
        if SEARCHED & columns.keys():
            new["search"] = search_text({**row, **columns})
        rows.append(new)
    if rows:
        update_rows(connection, Session.__table__, rows, {"change": next_change(connection)})
    left = [(row["project_id"], row["id"]) for row, columns in edited if "project_id" in columns]
    note_removals(connection, left)
    return [change for one in edited for change in _changes(*one)]


def _changes(row: Row, columns: dict[str, Any]) -> Iterator[Change]:
    """The change of a session; that it is gone from one project and came to another, if it was moved."""
    project = columns.get("project_id", row["project_id"])
    for place in dict.fromkeys((row["project_id"], project)):
        yield Change(
            session=row["id"],
            session_key=row["key"],
            project=place,
            before=row["version"],
            version=row["version"] + 1,
            first_sequence=row["next_sequence"],
            next_sequence=row["next_sequence"],
            graphs={} if place == row["project_id"] else None,  # new to the pages of another project
            deleted=place != project,
        )
