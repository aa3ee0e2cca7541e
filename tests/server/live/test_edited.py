"""Open pages learn of edits: one by one, of moves in both projects, and of many at once by a hello."""

from __future__ import annotations

import secrets
import time
from typing import Any

import pytest
from losswise_server.db.models import Session
from losswise_server.live.changes import MAX_ANNOUNCED
from sqlalchemy import insert, select

from losswise.protocol import records
from tests.conftest import DATABASES, database_url
from tests.support.batches import Writing
from tests.support.database.rows import database
from tests.support.editing import edit, post, undo
from tests.support.network.stream import Stream
from tests.support.server import Server


def open_stream(server: Server, *projects: str, **params: Any) -> Stream:
    stream = Stream(server, project_id=[server.project_id(name) for name in projects], **params)
    stream.wait("hello")
    return stream


def test_an_edit_is_pushed(server: Server) -> None:
    run = Writing(server, tag="script")
    graph = run.graph()
    run.points(graph, [0], a=[1.0])
    stream = open_stream(server, "default", session=[run.session])
    version = run.row()["version"]
    done = edit(server, run.session, tag="mine", note="x" * 1_000, starred=True)
    found = stream.wait_all(
        session=lambda data: data["id"] == run.session and data["tag"] == "mine",
        points=lambda data: data["to"] == version + 1,
    )
    row = found["session"]
    assert (row["own_tag"], len(row["note"]), row["starred"]) == ("script", 300, True)
    # no point is new, and none is missing
    assert (found["points"]["graphs"], found["points"]["arrivals"]) == ({}, 1)
    undo(server, done["undo"])
    stream.wait("session", lambda data: data["id"] == run.session and data["tag"] == "script")
    stream.close()


def test_a_move_is_pushed_to_both_projects(server: Server) -> None:
    names = [f"project {secrets.token_hex(4)}" for _ in range(2)]
    run, _other = (Writing(server, project=name) for name in names)
    origin, target = (server.project_id(name) for name in names)
    first, second, both = open_stream(server, names[0]), open_stream(server, names[1]), open_stream(server, *names)
    done = edit(server, run.session, project_id=target)
    gone = {"id": run.session, "project_id": origin}
    assert first.wait("deleted") == gone
    assert second.wait("session", lambda data: data["id"] == run.session)["project_id"] == target
    assert both.wait("deleted") == gone
    assert both.wait("session", lambda data: data["id"] == run.session)["project_id"] == target
    run.points(run.graph(), [0], a=[1.0])
    assert second.wait("session", lambda data: data["points"] == 1)["project"] == names[1]
    undo(server, done["undo"])
    assert second.wait("deleted")["project_id"] == target
    assert first.wait("session", lambda data: data["id"] == run.session)["project_id"] == origin
    time.sleep(0.4)
    assert "session" not in [name for name, _ in second.events.queue]
    for stream in (first, second, both):
        stream.close()


@pytest.fixture(params=DATABASES)
def workers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server; on PostgreSQL with two worker processes."""
    options = ("--workers", "2") if request.param == "postgresql" else ()
    url = database_url(request.param, request)
    server = Server(tmp_path_factory.mktemp("server"), url, arguments=options).start()
    yield server
    server.kill()


@pytest.mark.full_on_postgresql
def test_pages_refetch_when_many_sessions_were_edited(workers: Server) -> None:
    run = Writing(workers, project="many")
    Writing(workers, project="few")
    with database(workers) as connection:
        row = connection.execute(select(Session.__table__).where(Session.id == run.session)).mappings().one()
        copied = {name: value for name, value in row.items() if name != "key"}
        copies = [{**copied, "id": records.new_id()} for _ in range(MAX_ANNOUNCED)]
        connection.execute(insert(Session.__table__), copies)
    # some of them in each worker
    many, few = ([open_stream(workers, name) for _ in range(6)] for name in ("many", "few"))
    matching = {"project_id": workers.project_id("many")}
    answer = post(workers, "/sessions/edits", {"matching": matching, "edit": {"starred": True, "deleted": True}}).json()
    assert (answer["changed"], answer["sessions"]) == (MAX_ANNOUNCED + 1, None)
    for stream in many:
        assert stream.wait("hello")["projects"] == [matching["project_id"]]
    answer = post(workers, "/sessions/purge", {"matching": {**matching, "in": "bin"}}).json()
    assert answer["deleted"] == MAX_ANNOUNCED + 1
    for stream in many:
        stream.wait("hello")
    edit(workers, workers.get("/api/v2/sessions", project="few")["sessions"][0]["id"], starred=True)
    for stream in few:
        names = []
        while "session" not in names:
            names.append(stream.events.get(timeout=10)[0])
        assert "hello" not in names
    for stream in (*many, *few):
        assert "deleted" not in [name for name, _ in stream.events.queue]
        stream.close()
