"""A large session of one project does not delay the pages of another, and its events hold what is new."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from losswise_server import create_app
from losswise_server.config import load_settings
from losswise_server.live import events
from losswise_server.live.changes import Change
from losswise_server.live.events import Sent
from losswise_server.live.hub import ROW_BYTES_PER_S, Hub
from losswise_server.live.subscribers import event

from losswise.protocol import records
from tests.server.live.stream_reader import StreamReader
from tests.support.batches import Writing
from tests.support.network.stream import Stream
from tests.support.server import Server, eventually

LARGE, SMALL = 1, 2  # projects
CHANGE = Change("0" * 20, 1, LARGE, 0, 1)
GRAPHS = 120


class Reader:
    """Stands in for the module live.events: what it reads of the large project takes as long as a test says.

    Attributes:
        now: the hub's clock.
        read: (project, what) of each event, in order.
        on_read: called with each project, before its event is returned.
    """

    def __init__(self, row_bytes: int = 10) -> None:
        self.now = 0.0
        self.read: list[tuple[int, str]] = []
        self.on_read: Callable[[int], None] = lambda project: None
        self._row = event("session", "x" * row_bytes)

    def session_event(self, change: Change) -> bytes:
        self._note(change, "row")
        return self._row

    def points_event(self, change: Change, sent: Sent | None) -> tuple[bytes | None, Sent]:
        self._note(change, "points")
        return event("points", {"to": change.version}), Sent(change.version, change.next_sequence)

    def unread_event(self, change: Change) -> tuple[bytes, Sent]:
        return events.unread_event(change)

    def _note(self, change: Change, what: str) -> None:
        self.read.append((change.project, what))
        self.on_read(change.project)


def test_a_project_waits_for_one_event_of_another_at_most(tmp_path: Path) -> None:
    reader, begun, go_on = Reader(), threading.Event(), threading.Event()

    def on_read(project: int) -> None:
        reader.now += 0.1 if project == LARGE else 0.001
        begun.set()
        go_on.wait(10)

    reader.on_read = on_read
    app = create_app(load_settings(str(tmp_path), None, {"LW_SECRET_KEY": "x"}))
    hub = Hub(reader, clock=lambda: reader.now)
    page = StreamReader(hub.subscribe(app, frozenset((LARGE, SMALL)), None))
    for key in range(1, 21):
        hub.publish(replace(CHANGE, session=f"{key:020}", session_key=key))
    assert begun.wait(10)  # reading the first of twenty
    for key in (31, 32):
        hub.publish(replace(CHANGE, session=f"{key:020}", session_key=key, project=SMALL))
    go_on.set()
    eventually(lambda: len(reader.read) == 44)
    of_small = [place for place, (project, what) in enumerate(reader.read) if project == SMALL and what == "points"]
    assert of_small[0] <= 2
    assert of_small[1] <= 4
    rows = [place for place, (project, what) in enumerate(reader.read) if (project, what) == (LARGE, "row")]
    assert rows[0] < 5  # rows have turns, too
    assert page.names.count("points") == page.names.count("session") == 22
    hub.close()


def test_large_rows_come_less_often(tmp_path: Path) -> None:
    reader = Reader(row_bytes=2 * ROW_BYTES_PER_S)
    app = create_app(load_settings(str(tmp_path), None, {"LW_SECRET_KEY": "x"}))
    hub = Hub(reader, clock=lambda: reader.now)
    StreamReader(hub.subscribe(app, frozenset((LARGE,)), None))
    expected = 0
    for version in range(1, 12):
        hub.publish(replace(CHANGE, before=version - 1, version=version))
        expected += reader.now in (0.0, 2.5, 5.0)  # once in about two seconds
        all_read = [(LARGE, "points")] * version + [(LARGE, "row")] * expected
        eventually(lambda all_read=all_read: sorted(reader.read) == all_read)  # type: ignore[misc]
        reader.now += 0.5
    assert expected == 3
    hub.close()


class LargeSession:
    """A session of many graphs in a project of its own, which logs steps as fast as the server takes them."""

    def __init__(self, server: Server) -> None:
        self.writing = Writing(server, project="large")
        titles = [f"layer {number}" for number in range(GRAPHS)]
        self.graphs = [records.graph_id(self.writing.session, title) for title in titles]
        self.writing.send(*[records.graph_record(id_, title) for id_, title in zip(self.graphs, titles, strict=True)])
        self.steps = 0

    def step(self) -> None:
        now = time.time()
        batch = [records.points_record(graph, [self.steps], [now], {"a": [0.5]}) for graph in self.graphs]
        self.writing.send(*batch)
        self.steps += 1


def test_events_of_a_large_session_hold_what_is_new(server: Server) -> None:
    large = LargeSession(server)
    stream = Stream(server, project_id=server.project_id("large"), session=[large.writing.session])
    stream.wait("hello")
    version = large.writing.row()["version"]
    for step in range(3):
        large.step()
        found = stream.wait_all(
            points=lambda data, version=version: data["to"] > version,  # type: ignore[misc]
            change=lambda data, version=version: data["version"] > version,  # type: ignore[misc]
        )
        told, row = found["points"], found["change"]
        version = told["to"]
        assert set(told["graphs"]) == set(large.graphs)
        assert {body["series"]["a"]["x"][-1] for body in told["graphs"].values()} == {step}
        assert {graph["stats"]["a"][5] for graph in row["graphs"].values()} == {step}
        assert len(json.dumps(row)) < 120 * GRAPHS + 2_000
    large.writing.points(large.graphs[7], [9], a=[0.5])
    row = stream.wait("change", lambda data: data["from"] >= version)
    assert list(row["graphs"]) == [large.graphs[7]]
    assert len(json.dumps(row)) < 2_000
    stream.close()


@pytest.mark.full_on_postgresql
def test_a_small_session_is_as_fast_beside_a_large_one(server: Server) -> None:
    """Generously: neither the machine nor the database is alone here."""
    run = Writing(server, project="small")
    graph = run.graph()
    stream = Stream(server, project_id=server.project_id("small"), session=[run.session])
    stream.wait("hello")
    alone = [told_after(run, graph, stream, x) for x in range(10)]
    large = LargeSession(server)
    watched = Stream(server, project_id=server.project_id("large"), session=[large.writing.session])
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.1):
            large.step()

    writing = threading.Thread(target=write)
    writing.start()
    watched.wait("points", lambda data: data["graphs"])
    beside = [told_after(run, graph, stream, x) for x in range(10, 30)]
    done.set()
    writing.join()
    assert median(beside) < 10 * median(alone) + 0.5
    for one in (stream, watched):
        one.close()


def told_after(run: Writing, graph: str, stream: Stream, x: int) -> float:
    """Seconds from sending a point until a page has it."""
    begun = time.monotonic()
    run.points(graph, [x], a=[1.0])

    def has_it(data: Any) -> bool:
        body = data["graphs"].get(graph)
        return body is not None and x in body["series"]["a"]["x"]

    stream.wait("points", has_it, timeout=30)
    return time.monotonic() - begun
