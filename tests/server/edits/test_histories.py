"""Whatever happened to sessions before, an undo gives back what its edit has changed, and nothing else changes."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.edits.editing import edit_sessions
from losswise_server.edits.schema import Edit
from losswise_server.edits.selection import Selected, projects_of
from losswise_server.edits.undo import undo
from losswise_server.extensions import db
from losswise_server.sessions.search import search_text
from sqlalchemy import select

from losswise.protocol import records
from tests.support.application import DirectWriting

TAGS = st.lists(st.sampled_from("abcd"), unique=True, max_size=3)
EDITS = st.fixed_dictionaries(
    {"starred": st.booleans()},
    optional={
        "tag": st.sampled_from(["one", "two", "script", "", None]),
        "add_tags": TAGS,
        "note": st.sampled_from(["", "good", "bad\nNEWS"]),
        "archived": st.booleans(),
        "deleted": st.booleans(),
    },
)
REMOVALS = st.fixed_dictionaries({"remove_tags": TAGS})
RECORDS = st.fixed_dictionaries({}, optional={"tag": st.sampled_from(["script", "script 2"]), "tags": TAGS})
EVENTS = st.lists(st.tuples(st.sets(st.integers(0, 2), min_size=1), st.one_of(EDITS, REMOVALS)), max_size=4)
SHOWN = ("tag", "own_tag", "tags", "tag_edits", "note", "starred", "archived_at", "deleted_at", "project_id", "search")


class Runs:
    """Three sessions, and what people and scripts do to them."""

    def __init__(self) -> None:
        self.runs = [DirectWriting() for _ in range(3)]
        self.access = self.runs[0].access
        self.projects = projects_of(self.access)
        db.session.rollback()
        with reading() as connection:
            found = connection.execute(
                select(Session.id, Session.key).where(Session.id.in_([run.session for run in self.runs]))
            )
            keys = dict(found.all())
        self.keys = [keys[run.session] for run in self.runs]

    def rows(self) -> list[dict[str, Any]]:
        query = select(Session.__table__).where(Session.key.in_(self.keys)).order_by(Session.key)
        with reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        assert all(row["search"] == search_text(row) for row in rows)
        return [{name: row[name] for name in SHOWN} for row in rows]

    def edit(self, which: set[int], fields: dict[str, Any]) -> str | None:
        selected = Selected(sorted(self.keys[number] for number in which))
        return edit_sessions(selected, Edit(**fields), self.access, self.projects, time.time()).undo

    def undo(self, token: str) -> None:
        outcome = undo(token, self.access, self.projects, time.time())
        assert outcome.skipped.as_json() == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EVENTS, EVENTS, RECORDS)
def test_undos_in_reverse_lead_back(app: Flask, before: Any, edits: Any, recorded: dict[str, Any]) -> None:
    runs = Runs()
    runs.runs[0].send(records.session_record(tag="script", tags=["a", "b"]))
    for which, fields in before:
        runs.edit(which, fields)
    rows = runs.rows()
    tokens = [runs.edit(which, fields) for which, fields in edits]
    for token in reversed(tokens):
        if token is not None:
            runs.undo(token)
    assert [unordered(row) for row in runs.rows()] == [unordered(row) for row in rows]
    # the script goes on as if nothing had been edited and undone
    for fields in (recorded, {"tag": "last", "tags": ["d"]}):
        runs.runs[0].send(records.session_record(**fields))
    [first, *_] = runs.rows()
    assert (first["own_tag"] or first["tag"]) == "last"
    assert set(first["tags"]) - {"d"} <= set(rows[0]["tag_edits"].get("added", ()))


def unordered(row: dict[str, Any]) -> dict[str, Any]:
    """Tags that were added, removed and added again come last."""
    edits = {name: sorted(tags) for name, tags in row["tag_edits"].items()}
    return {**row, "tags": sorted(row["tags"]), "tag_edits": edits, "search": sorted(row["search"].split("\n"))}
