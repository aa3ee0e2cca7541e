"""Thousands of sessions in one request, while scripts go on recording."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any

import pytest
from flask import Flask
from losswise_server.accounts.projects import insert_project
from losswise_server.db.engine import reading, writing
from losswise_server.db.models import DeletedSession, PendingPurge, Session
from losswise_server.edits import selection
from losswise_server.edits.editing import Outcome, edit_sessions
from losswise_server.edits.schema import Edit, Matching, Selection
from losswise_server.edits.selection import projects_of, select_sessions
from losswise_server.edits.undo import undo
from losswise_server.exceptions import ApiError
from losswise_server.extensions import db
from losswise_server.maintenance import deletion
from sqlalchemy import func, insert, select, update

from losswise.protocol import records
from tests.support.application import DirectWriting, counted_statements
from tests.support.batches import Writing
from tests.support.database.rows import database
from tests.support.editing import post
from tests.support.server import Server

_table = Session.__table__


class Sessions:
    """Many sessions of a project of their own, in the application."""

    def __init__(self, count: int) -> None:
        self.run = run = DirectWriting()
        run.send(records.session_record(params={"lr": 0.1, "optimizer": "adam"}, tags=["a"]))
        with writing() as connection:
            organization = run.access.organization_id
            assert organization is not None
            self.project = insert_project(connection, organization, secrets.token_hex(8))
            is_run = _table.c.id == run.session
            connection.execute(update(_table).where(is_run).values(project_id=self.project))
            row = connection.execute(select(_table).where(is_run)).mappings().one()
            copied = {name: value for name, value in row.items() if name != "key"}
            connection.execute(insert(_table), [{**copied, "id": records.new_id()} for _ in range(count - 1)])

    def edit(self, **fields: Any) -> Outcome:
        projects = projects_of(self.run.access)
        selected = select_sessions(Selection(matching=Matching(project_id=self.project)), projects)
        return edit_sessions(selected, Edit(**fields), self.run.access, projects, time.time())

    def undo(self, token: str) -> Outcome:
        projects = projects_of(self.run.access)
        db.session.rollback()
        return undo(token, self.run.access, projects, time.time())

    def rows(self) -> list[dict[str, Any]]:
        """What each session is, but for the numbers that rise with each change."""
        query = select(_table).where(_table.c.project_id == self.project).order_by(_table.c.key)
        with reading() as connection:
            found = [dict(row) for row in connection.execute(query).mappings()]
        return [{name: row[name] for name in row if name not in ("version", "note_version", "change")} for row in found]

    def count(self, *conditions: Any) -> int:
        query = select(func.count()).select_from(_table).where(_table.c.project_id == self.project, *conditions)
        with reading() as connection:
            return int(connection.execute(query).scalar_one())


@pytest.mark.parametrize("many", [3_000, pytest.param(10_000, marks=pytest.mark.full)])
def test_thousands_of_sessions_take_few_statements(app: Flask, many: int) -> None:
    sessions = Sessions(many)
    is_edited = [_table.c.tag == "new", _table.c.note_version == 1, _table.c.search.contains("some text")]
    before = sessions.rows()
    with counted_statements() as statements:
        done = sessions.edit(
            tag="new", add_tags=["b"], remove_tags=["a"], note="some text", starred=True, archived=True
        )
    assert (len(done.changed), done.skipped.as_json()) == (many, [])
    assert done.undo is not None
    # a statement writes a thousand rows; their change numbers are one more, and on SQLite the counter
    assert len([statement for statement in statements if statement.startswith("UPDATE")]) <= many / 1_000 + 2
    assert len(statements) < 25
    assert sessions.count(*is_edited, _table.c.archived_at.is_not(None), _table.c.version == 3) == many
    with counted_statements() as statements:
        back = sessions.undo(done.undo)
    assert (len(back.changed), back.skipped.as_json()) == (many, [])
    assert len(statements) < 25
    assert sessions.count(*is_edited) == 0
    assert sessions.rows() == before
    with pytest.raises(ApiError, match="nothing to undo"):
        sessions.undo(done.undo)


def test_thousands_of_sessions_are_deleted_in_few_statements(app: Flask) -> None:
    sessions = Sessions(3_000)
    done = sessions.edit(deleted=True)
    with writing() as connection:  # somebody takes one out of the bin
        connection.execute(update(_table).where(_table.c.id == sessions.run.session).values(deleted_at=None))
    with counted_statements() as statements:
        assert deletion.delete_from_bin(done.changed, time.time()) == 2_999
    assert len(statements) < 20
    assert sessions.count() == 1
    with reading() as connection:
        for model in (PendingPurge, DeletedSession):
            assert connection.execute(select(func.count()).select_from(model.__table__)).scalar_one() == 2_999
        keys = set(connection.execute(select(PendingPurge.__table__.c.session_key)).scalars())
    assert keys < set(done.changed)


def test_too_many_sessions_are_refused(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(3)
    monkeypatch.setattr(selection, "MAX_SESSIONS", 2)
    with pytest.raises(ApiError, match=r"these are 3 sessions; one request takes 2"):
        sessions.edit(starred=True)
    with pytest.raises(ApiError, match=r"these are 3 sessions"):
        select_sessions(Selection(sessions=["a", "b", "c"]), projects_of(sessions.run.access))


def test_recording_and_edits_of_many_sessions_do_not_lock_each_other_out(server: Server) -> None:
    """Writers, edits in both directions, undos and moves at once: everything succeeds, and nothing is lost."""
    project, elsewhere = (f"busy {secrets.token_hex(4)}" for _ in range(2))
    Writing(server, project=elsewhere)
    runs = [Writing(server, project=project, tag="busy") for _ in range(6)]
    with database(server) as connection:
        row = connection.execute(select(_table).where(_table.c.id == runs[0].session)).mappings().one()
        copied = {name: value for name, value in row.items() if name != "key"}
        connection.execute(insert(_table), [{**copied, "id": records.new_id()} for _ in range(600)])
    matching = {"matching": {"project_id": server.project_id(project)}}
    moving = {"sessions": [run.session for run in runs[:3]]}
    failures: list[str] = []
    is_over = threading.Event()

    def record(run: Writing) -> None:
        graph = run.graph()
        for x in range(12):
            run.points(graph, [x], loss=[float(x)])
            run.send(records.session_record(tag=f"busy {x}", tags=[str(x)]))

    def change(which: dict[str, Any], *edits: dict[str, Any]) -> None:
        while not is_over.is_set():
            for fields in edits:
                answer = post(server, "/sessions/edits", {**which, "edit": fields})
                token = answer.json().get("undo") if answer.status_code == 200 else None
                if token and fields.get("starred"):
                    answer = server.request("POST", f"/api/v2/undo/{token}")
                if answer.status_code != 200:
                    failures.append(answer.text[:300])

    writers = [threading.Thread(target=record, args=(run,)) for run in runs]
    editors = [
        threading.Thread(target=change, args=(matching, {"add_tags": ["x"]}, {"remove_tags": ["x"]})),
        threading.Thread(target=change, args=(matching, {"starred": True}, {"note": "a"}, {"note": "b"})),
        threading.Thread(
            target=change, args=(moving, *({"project_id": server.project_id(name)} for name in (elsewhere, project)))
        ),
    ]
    for thread in (*writers, *editors):
        thread.start()
    for thread in writers:
        thread.join()
    is_over.set()
    for thread in editors:
        thread.join()
    assert failures == []
    for run in runs:
        row = run.row()
        assert (row["points"], row["tag"], row["note"] in ("", "a", "b")) == (12, "busy 11", True)
        assert row["tags"] in (["11"], ["11", "x"])


def test_a_batch_that_waits_while_its_session_is_moved(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    Writing(server, project="moved to")
    sent: list[Any] = []
    thread = threading.Thread(target=lambda: sent.append(run.points(graph, [0], a=[1.0])))
    with database(server) as connection:
        where = update(_table).where(_table.c.id == run.session)
        connection.execute(where.values(project_id=server.project_id("moved to")))
        thread.start()
        thread.join(0.5)  # it waits for the session's row
        assert sent == []
    thread.join()
    assert sent == [None]
    assert (run.row()["project"], run.row()["points"]) == ("moved to", 1)
