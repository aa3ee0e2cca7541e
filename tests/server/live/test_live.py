"""GET /live: committed changes are pushed by every process of the server, without gaps or duplicates."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from losswise.protocol import records
from tests.conftest import DATABASES, database_url
from tests.support.batches import Writing
from tests.support.network.stream import Stream
from tests.support.server import ENDED, Server


def newer(version: int) -> Callable[[Any], bool]:
    return lambda data: data["to"] > version


def test_a_point_is_pushed_soon(server: Server) -> None:
    run = Writing(server, tag="pushed")
    graph = run.graph()
    run.points(graph, [0], a=[1.0])
    stream = Stream(server, project_id=server.project_id(), session=[run.session])
    stream.wait("hello")
    version = run.row()["version"]
    for x in range(1, 4):
        sent = time.monotonic()
        run.points(graph, [x], [50.0 + x], a=[x / 2])
        event = stream.wait("points", newer(version))
        assert time.monotonic() - sent < 2.0
        assert event["from"] <= version
        version = event["to"]
        columns = event["graphs"][graph]["series"]["a"]  # points just before the stream began may be in it, too
        last = {name: values[-1] for name, values in columns.items()}
        assert last == {"x": x, "y": x / 2, "t": 50.0 + x, "n": x}
    run.end()
    row = stream.wait("session", lambda data: data["id"] == run.session and data["status"] == "complete")
    assert row["last_x"] == 3
    assert row["stats"]["a"]["count"] == 4
    stream.close()


def test_a_page_that_joins_gets_each_point_once(server: Server) -> None:
    """A page asks for the series while points come, and takes from the events what it does not have."""
    run = Writing(server)
    graph = run.graph()
    stream = Stream(server, project_id=server.project_id(), session=[run.session])
    stream.wait("hello")
    done = threading.Event()

    def write() -> None:
        for x in range(120):
            run.points(graph, [x], a=[float(x)])
        done.set()

    threading.Thread(target=write).start()
    time.sleep(0.15)
    read = server.get("/api/v2/series", graph=graph)["graphs"][graph]
    xs, version, arrivals = read["series"]["a"]["x"], read["version"], read["arrivals"]
    assert 0 < len(xs) < 120
    while len(xs) < 120:
        event = stream.wait("points", newer(version))
        assert event["from"] <= version
        version = event["to"]
        columns = event["graphs"][graph]["series"]["a"]
        xs += [x for x, n in zip(columns["x"], columns["n"], strict=True) if n >= arrivals]
        arrivals = event["arrivals"]
    assert done.wait(10)
    assert xs == list(range(120))
    stream.close()


def test_too_many_points_make_the_graph_null(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    stream = Stream(server, project_id=server.project_id(), session=[run.session])
    stream.wait("hello")
    run.points(graph, list(range(5_000)), a=[1.0] * 5_000)
    event = stream.wait("points", lambda data: graph in (data["graphs"] or {}))
    assert event["graphs"] == {graph: None}
    run.send(records.rewind_record(10, time.time() + 1))
    assert stream.wait("points")["graphs"] is None
    stream.close()


def test_new_sessions_status_and_deletion_are_pushed(server: Server) -> None:
    stream = Stream(server, project_id=server.project_id())
    stream.wait("hello")
    run = Writing(server, tag="newcomer")
    assert stream.wait("session", lambda data: data["tag"] == "newcomer")["status"] == "active"
    run.points(run.graph(), [1], a=[1.0])
    run.end("failed", reason="error")
    stream.wait("session", lambda data: data["id"] == run.session and data["status"] == "failed")
    server.request("DELETE", f"/api/v2/sessions/{run.session}")
    assert stream.wait("deleted") == {"id": run.session, "project_id": server.project_id()}
    stream.close()


def test_other_projects_and_unselected_points_are_not_pushed(server: Server) -> None:
    Writing(server, project="elsewhere")
    stream = Stream(server, project_id=server.project_id("elsewhere"))
    stream.wait("hello")
    here = Writing(server, tag="here", project="elsewhere")
    there = Writing(server, tag="there")
    there.points(there.graph(), [0], a=[1.0])
    here.points(here.graph(), [0], a=[1.0])
    stream.wait("session", lambda data: data["last_x"] == 0)
    time.sleep(0.4)
    rest: list[tuple[str, Any]] = list(stream.events.queue)
    assert not [name for name, data in rest if name == "points" or data.get("tag") == "there"]
    stream.close()


def test_session_events_name_their_project(server: Server) -> None:
    first, second = Writing(server, project="one"), Writing(server, project="two")
    ids = [server.project_id(name) for name in ("one", "two")]
    stream = Stream(server, project_id=[*ids, 10**6], session=f"{first.session},{second.session}")
    assert stream.wait("hello")["projects"] == ids
    for run, id_ in zip((first, second), ids, strict=True):
        graph = run.graph()
        run.points(graph, [7], a=[1.0])
        found = stream.wait_all(
            points=lambda data, graph=graph: graph in data["graphs"],  # type: ignore[misc]
            # a session's row may come twice: for its graph, and for its points
            session=lambda data, run=run: data["id"] == run.session and data["last_x"] == 7,  # type: ignore[misc]
        )
        assert found["points"]["session"] == run.session
        assert found["session"]["project_id"] == id_
    stream.close()


def test_all_points_of_a_project_can_be_selected(server: Server) -> None:
    here, there = Writing(server, project="whole"), Writing(server, project="other")
    stream = Stream(server, project_id=server.project_id("whole"), session="*")
    stream.wait("hello")
    for run in (there, here):
        run.points(run.graph(), [0], a=[1.0])
    assert stream.wait("points")["session"] == here.session
    stream.close()


def test_permissions_of_a_stream(server: Server) -> None:
    assert server.request("GET", "/live", key="wrong").status_code == 401
    assert server.request("GET", "/live", params={"project_id": 10**6}).status_code == 404
    assert server.request("GET", "/live", params={"project_id": [10**6, 10**7]}).status_code == 404
    assert server.request("GET", "/live", params={"project_id": "x"}).status_code == 400


@pytest.fixture(params=DATABASES)
def stoppable(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server to be stopped; on PostgreSQL with two worker processes."""
    workers = ("--workers", "2") if request.param == "postgresql" else ()
    url = database_url(request.param, request)
    server = Server(tmp_path_factory.mktemp("server"), url, arguments=workers).start()
    yield server
    server.kill()


@pytest.mark.full_on_postgresql
def test_every_worker_pushes_and_streams_do_not_delay_the_stop(stoppable: Server) -> None:
    run = Writing(stoppable)
    graph = run.graph()
    streams = [Stream(stoppable, project_id=stoppable.project_id(), session=[run.session]) for _ in range(8)]
    for stream in streams:
        stream.wait("hello")
    for x in range(6):  # each request may go to another worker
        run.points(graph, [x], a=[float(x)])
    for stream in streams:
        xs: list[int] = []
        while len(xs) < 6:
            event = stream.wait("points", lambda data: graph in data["graphs"])
            xs += event["graphs"][graph]["series"]["a"]["x"]
        assert xs == list(range(6))
    started = time.monotonic()
    assert stoppable.stop() in ENDED
    assert time.monotonic() - started < 15
    for stream in streams:
        assert stream.ended.wait(5)
