"""The server's own threads: whatever goes wrong in one, it goes on, says so once, and no event is lost for good."""

from __future__ import annotations

import functools
import json
import logging
import socket
import sqlite3
import threading
import types
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from losswise_server import create_app
from losswise_server.config import load_settings
from losswise_server.live import events as liveevents
from losswise_server.live import hub, subscribers
from losswise_server.live import pg_listener as listener
from losswise_server.live.changes import Change
from losswise_server.maintenance import purge, silence
from losswise_server.maintenance.periodic import Chore

from tests.support.server import eventually

CHANGE = Change("0" * 20, 1, 1, 0, 1)


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return create_app(load_settings(str(tmp_path), None, {"LW_SECRET_KEY": "x"}))


def fails_first(times: int, then: Callable[..., Any], error: Exception | None = None) -> Callable[..., Any]:
    """A function that raises what nobody expects, or `error`, so many times, and then does what it should."""
    left = [None] * times

    def call(*args: Any) -> Any:
        if left:
            left.pop()
            raise error or ValueError("surprise\nin two lines")
        return then(*args)

    return call


def clock(wait: Callable[[float], None]) -> Any:
    """The module `time` of a thread that is not to take its time."""
    return types.SimpleNamespace(time=lambda: 0.0, monotonic=lambda: 0.0, sleep=wait)


@pytest.mark.parametrize("chore", [silence.sweeper, purge.freer])
def test_a_chore_survives_whatever_happens(app: Flask, chore: Chore, caplog: pytest.LogCaptureFixture) -> None:
    done, never = threading.Event(), threading.Event()

    def work() -> None:
        done.set()
        never.wait()

    with caplog.at_level(logging.WARNING):
        thread = Chore(chore.name, 0.01, fails_first(1, work), chore.failing).start(app)
        assert done.wait(10)
    assert thread.is_alive()
    [said] = [record.getMessage() for record in caplog.records]
    assert said == f"{chore.failing}: ValueError: surprise in two lines"


def names(subscriber: subscribers.Subscriber) -> list[str]:
    return [event.partition(b"\n")[0].decode().removeprefix("event: ") for event in list(subscriber._events)]


@pytest.mark.parametrize("where", ["session_event", "_take"])
def test_an_event_that_could_not_be_read_comes_later(app: Flask, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    here = hub.Hub()
    read = fails_first(1, lambda change: subscribers.event("session", change.session))
    if where == "_take":
        monkeypatch.setattr(here, "_take", fails_first(1, here._take))
        read = fails_first(0, lambda change: subscribers.event("session", change.session))
    monkeypatch.setattr(liveevents, "session_event", read)
    subscriber = here.subscribe(app, frozenset((CHANGE.project,)), frozenset())
    assert subscriber is not None
    here.publish(CHANGE)
    eventually(lambda: names(subscriber)[-1] == "session")
    asked_again = ["hello"] if where == "_take" else []  # part of what was taken may have been sent
    assert names(subscriber) == ["hello", *asked_again, "session"]
    here.publish(CHANGE)
    eventually(lambda: names(subscriber)[-2:] == ["session", "session"])
    here.close()


def test_one_session_that_cannot_be_read_holds_up_no_other(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Pages that show it are told to ask for its points, again and again; the log has it once."""
    bad, good = CHANGE, replace(CHANGE, session="1" * 20, session_key=2)

    def points(change: Change, sent: object) -> tuple[bytes, liveevents.Sent]:
        if change.session == bad.session:
            raise ValueError("surprise")
        return subscribers.event("points", {"graphs": {}}), liveevents.Sent(change.version, change.arrivals)

    def row(change: Change) -> bytes:
        if change.session == bad.session:
            raise ValueError("surprise")
        return subscribers.event("session", change.version)

    monkeypatch.setattr(liveevents, "points_event", points)
    monkeypatch.setattr(liveevents, "session_event", row)
    here = hub.Hub()
    follows_bad, follows_good = (
        here.subscribe(app, frozenset((CHANGE.project,)), frozenset((change.session,))) for change in (bad, good)
    )
    assert follows_bad is not None
    assert follows_good is not None
    for version in range(1, 4):
        for change in (bad, good):
            here.publish(replace(change, before=version - 1, version=version))
        eventually(functools.partial(have_heard, version, follows_good, follows_bad))
    assert "hello" not in names(follows_good)[1:] + names(follows_bad)[1:]
    told_bad = [json.loads(event.split(b"data: ")[1]) for event in follows_bad._events if b"event: points" in event]
    assert [(event["session"], event["to"], event["graphs"]) for event in told_bad] == [
        (bad.session, version, None) for version in range(1, 4)
    ]
    assert [record.getMessage() for record in caplog.records] == [
        f"live events of session {bad.session} could not be read"
    ]
    here.close()


def have_heard(times: int, rows: subscribers.Subscriber, points: subscribers.Subscriber) -> bool:
    return names(rows).count("session") == names(points).count("points") == times


def test_while_the_database_is_away_it_is_tried_again_and_given_up(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    here = hub.Hub()
    away = sqlite3.OperationalError("database is locked")
    read = fails_first(2, lambda change: subscribers.event("session", "next"), away)
    monkeypatch.setattr(liveevents, "session_event", read)
    subscriber = here.subscribe(app, frozenset((CHANGE.project,)), frozenset())
    assert subscriber is not None
    here.publish(CHANGE)
    eventually(lambda: names(subscriber) == ["hello", "away", "hello"])
    here.publish(CHANGE)
    eventually(lambda: names(subscriber) == ["hello", "away", "hello", "session"])
    here.close()


class Notifications:
    """A connection to PostgreSQL that has read these notifications already; nothing more comes."""

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


class Hearer:
    """What the listener tells."""

    def __init__(self) -> None:
        self.heard: list[Change] = []
        self.told: list[str] = []

    def publish(self, change: Change) -> None:
        self.heard.append(change)

    def resync(self) -> None:
        self.told.append("resync")

    def away(self, what: str, reason: str) -> None:
        self.told.append("away")

    def back(self, what: str) -> None:
        self.told.append("back")


def test_the_listener_hears_what_came_with_an_answer_and_survives_nonsense(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good = asdict(CHANGE)
    newer = json.dumps({**good, "colour": "red"})
    older = json.dumps({name: good[name] for name in good if name not in ("arrivals", "rewound")})
    heard_first = Notifications("nonsense", json.dumps({"a": 1}), "3", json.dumps(good), newer, older)
    connections = [heard_first]
    monkeypatch.setattr(listener.psycopg2, "connect", lambda *args, **options: connections.pop(0))
    monkeypatch.setattr(listener, "time", clock(lambda seconds: None))
    hearer = Hearer()
    with caplog.at_level(logging.WARNING):
        listener.listen(app, hearer)
        eventually(lambda: len(hearer.heard) == 3, timeout=5)
    # what an older worker does not tell, pages ask for
    assert hearer.heard == [CHANGE, CHANGE, replace(CHANGE, graphs=None)]
    assert hearer.told == ["resync"] * 3
    assert len(caplog.records) == 3


def test_pages_ask_again_where_listening_began_late(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 6.0])
    monkeypatch.setattr(listener, "time", types.SimpleNamespace(monotonic=lambda: next(seconds), sleep=lambda s: None))
    monkeypatch.setattr(listener.psycopg2, "connect", lambda *args, **options: Notifications())
    hearer = Hearer()
    listener.listen(app, hearer)
    eventually(lambda: hearer.told == ["back"], timeout=5)
