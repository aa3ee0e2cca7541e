"""The server's own threads: they survive errors, log them once, and pages learn of every lost event."""

from __future__ import annotations

import functools
import json
import logging
import socket
import sqlite3
import threading
import time
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask
from losswise_server import create_app
from losswise_server.config import load_settings
from losswise_server.live import events
from losswise_server.live.changes import Change, ProjectChange
from losswise_server.live.events import Sent
from losswise_server.live.hub import Hub
from losswise_server.live.pg_listener import listen
from losswise_server.live.subscribers import event
from losswise_server.maintenance import emptying, purge, silence
from losswise_server.maintenance.periodic import PeriodicTask

from tests.server.live.stream_reader import StreamReader
from tests.support.server import eventually

CHANGE = Change("0" * 20, 1, 1, 0, 1)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return create_app(load_settings(str(tmp_path), None, {"LW_SECRET_KEY": "x"}))


def fails_first(times: int, then: Callable[..., Any], error: Exception | None = None) -> Callable[..., Any]:
    """A function that raises `error` (an unexpected one by default) so many times, and then calls `then`."""
    left = [None] * times

    def call(*args: Any) -> Any:
        if left:
            left.pop()
            raise error or ValueError("surprise\nin two lines")
        return then(*args)

    return call


@pytest.mark.parametrize("task", [silence.mark_stale_task, purge.purge_task, emptying.empty_bin_task])
def test_a_periodic_task_survives_exceptions(app: Flask, task: PeriodicTask, caplog: pytest.LogCaptureFixture) -> None:
    done, never = threading.Event(), threading.Event()

    def work() -> None:
        done.set()
        never.wait()

    with caplog.at_level(logging.WARNING):
        thread = PeriodicTask(task.name, 0.01, fails_first(1, work), task.failing).start(app)
        assert done.wait(10)
    assert thread.is_alive()
    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"{task.failing}: ValueError: surprise in two lines"


class Events:
    """Stands in for the module live.events, without a database."""

    def session_event(self, change: Change) -> bytes:
        return event("session", change.version)

    def points_event(self, change: Change, sent: Sent | None) -> tuple[bytes | None, Sent]:
        return event("points", {"graphs": {}}), Sent(change.version, change.next_sequence)

    def unread_event(self, change: Change) -> tuple[bytes, Sent]:
        return events.unread_event(change)


def follow(here: Hub, app: Flask, *sessions: str) -> StreamReader:
    return StreamReader(here.subscribe(app, frozenset((CHANGE.project,)), frozenset(sessions)))


@pytest.mark.parametrize("where", ["reader", "clock"])
def test_an_event_that_failed_is_retried(app: Flask, where: str) -> None:
    reader = Events()
    if where == "reader":
        reader.session_event = fails_first(1, reader.session_event)  # type: ignore[method-assign]
        here = Hub(reader)
    else:
        here = Hub(reader, clock=fails_first(1, time.monotonic))
    page = follow(here, app)
    here.publish(CHANGE)
    eventually(lambda: page.names[-1:] == ["session"])
    asked_again = ["hello"] if where == "clock" else []  # part of the batch may have been sent
    assert page.names == ["hello", *asked_again, "session"]
    here.publish(CHANGE)
    eventually(lambda: page.names[-2:] == ["session", "session"])
    here.close()


def test_one_broken_session_delays_no_other(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """Pages that show it are told to refetch its points each time; the log has it once."""
    bad, good = CHANGE, replace(CHANGE, session="1" * 20, session_key=2)

    class HalfBroken(Events):
        def session_event(self, change: Change) -> bytes:
            if change.session == bad.session:
                raise ValueError("surprise")
            return super().session_event(change)

        def points_event(self, change: Change, sent: Sent | None) -> tuple[bytes | None, Sent]:
            if change.session == bad.session:
                raise ValueError("surprise")
            return super().points_event(change, sent)

    here = Hub(HalfBroken())
    follows_bad, follows_good = (follow(here, app, change.session) for change in (bad, good))
    for version in range(1, 4):
        for change in (bad, good):
            here.publish(replace(change, before=version - 1, version=version))
        eventually(functools.partial(have_heard, version, follows_good, follows_bad))
    assert "hello" not in follows_good.names[1:] + follows_bad.names[1:]
    assert [(data["session"], data["to"], data["graphs"]) for data in follows_bad.data("points")] == [
        (bad.session, version, None) for version in range(1, 4)
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"live events of session {bad.session} could not be read"
    ]
    here.close()


def have_heard(times: int, rows: StreamReader, points: StreamReader) -> bool:
    return rows.names.count("session") == points.names.count("points") == times


def test_a_batch_is_retried_once_while_the_database_is_down(app: Flask) -> None:
    reader = Events()
    locked = sqlite3.OperationalError("database is locked")
    reader.session_event = fails_first(2, reader.session_event, locked)  # type: ignore[method-assign]
    here = Hub(reader)
    page = follow(here, app)
    here.publish(CHANGE)
    eventually(lambda: page.names == ["hello", "unavailable", "hello"])
    here.publish(CHANGE)
    eventually(lambda: page.names == ["hello", "unavailable", "hello", "session"])
    here.close()


class Notifications:
    """A connection to PostgreSQL that has already read these notifications; no more arrive."""

    def __init__(self, *payloads: str) -> None:
        self.notifies = [types.SimpleNamespace(payload=payload) for payload in payloads]
        self._socket, self._other = socket.socketpair()
        self.fileno = self._socket.fileno

    def poll(self) -> None: ...

    def set_session(self, **options: Any) -> None: ...

    def cursor(self) -> Any:
        return self

    def execute(self, statement: str) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None: ...


class Receiver:
    """What the listener reports."""

    def __init__(self) -> None:
        self.changes: list[Change | ProjectChange] = []
        self.reports: list[str] = []

    def publish(self, change: Change | ProjectChange) -> None:
        self.changes.append(change)

    def refetch(self) -> None:
        self.reports.append("refetch")

    def report_outage(self, source: str, reason: str) -> None:
        self.reports.append("outage")

    def report_recovery(self, source: str) -> None:
        self.reports.append("recovery")


def test_the_listener_reads_buffered_notifications_and_survives_malformed_ones(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    good = json.loads(CHANGE.payload())
    newer = json.dumps({**good, "colour": "red"})
    older = json.dumps({name: good[name] for name in good if name not in ("next_sequence", "rewound")})
    project = ProjectChange(7).payload()
    bad = ("nonsense", json.dumps({"a": 1}), "3", json.dumps({"refetch_project": "7"}))
    connections = [Notifications(*bad, json.dumps(good), newer, older, project)]
    receiver = Receiver()
    with caplog.at_level(logging.WARNING):
        listen(app, receiver, connect=lambda *args, **options: connections.pop(0))
        eventually(lambda: len(receiver.changes) == 4, timeout=5)
    # an older worker does not send all fields: pages refetch
    assert receiver.changes == [CHANGE, CHANGE, replace(CHANGE, graphs=None), ProjectChange(7)]
    assert receiver.reports == ["refetch"] * len(bad)
    assert len(caplog.records) == len(bad)


def test_pages_refetch_if_listening_began_late(app: Flask) -> None:
    seconds = iter([0.0, 6.0])
    receiver = Receiver()
    listen(app, receiver, connect=lambda *args, **options: Notifications(), clock=lambda: next(seconds))
    eventually(lambda: receiver.reports == ["recovery"], timeout=5)


def test_the_listener_reconnects_and_pages_refetch(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """An outage is logged once, however many attempts it takes."""
    refused = psycopg2.OperationalError("connection refused")
    connect = fails_first(3, lambda: Notifications(CHANGE.payload()), refused)
    waits: list[float] = []
    receiver = Receiver()
    with caplog.at_level(logging.WARNING):
        listen(app, receiver, connect=lambda *args, **options: connect(), sleep=waits.append)
        eventually(lambda: receiver.changes == [CHANGE], timeout=5)
    assert receiver.reports == ["outage", "outage", "outage", "recovery"]
    assert waits == [1.0] * 3
    assert len(caplog.records) == 2
