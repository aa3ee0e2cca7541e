"""Every open page of this process, and the thread that turns changes into their events.

The hub reads what is new from the database once and hands the events to its subscribers. There is no log of events:
a page that misses some sees the gap in the versions, or a `hello`, and asks again.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict

from flask import Flask

from . import live, liveevents
from .database import is_sqlite
from .extensions import db
from .listener import listen
from .live import Change
from .liveevents import Sent, event

POINTS_EVERY = 0.1
ROWS_EVERY = 0.25
KEEP_ALIVE = 15.0
QUEUE_MOST = 500


class Subscriber:
    """One open stream: a bounded queue of events. A reader too slow for it is told to ask again instead."""

    def __init__(self, project: int, sessions: frozenset[str]) -> None:
        self.project = project
        self.sessions = sessions
        self._events: deque[str] = deque()
        self._ready = threading.Condition()
        self._closed = False
        self.put(event("hello", {"time": time.time()}))

    def put(self, text_: str) -> None:
        with self._ready:
            if len(self._events) >= QUEUE_MOST:
                self._events.clear()
                text_ = event("hello", {"time": time.time()})
            self._events.append(text_)
            self._ready.notify()

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify()

    def stream(self) -> Iterator[str]:
        """Events as they come, a comment when it is quiet, until closed."""
        yield "retry: 1000\n\n"
        while True:
            with self._ready:
                if not self._events and not self._closed:
                    self._ready.wait(KEEP_ALIVE)
                if self._closed:
                    return
                waiting = "".join(self._events)
                self._events.clear()
            yield waiting or ": still here\n\n"


class Hub:
    """The subscribers of one process, and the thread that turns changes into their events."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._subscribers: set[Subscriber] = set()
        self._points: dict[int, Change] = {}
        self._rows: dict[int, Change] = {}
        self._due: dict[tuple[str, int], float] = {}
        self._sent: dict[int, Sent] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def subscribe(self, app: Flask, project: int, sessions: frozenset[str]) -> Subscriber | None:
        """A new subscriber, or None where there are as many as this process holds."""
        subscriber = Subscriber(project, sessions)
        with self._changed:
            if self._closed or len(self._subscribers) >= app.config["LIVE_STREAMS"]:
                return None
            self._subscribers.add(subscriber)
            if self._thread is None:
                self._start(app)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        with self._changed:
            self._subscribers.discard(subscriber)

    def publish(self, change: Change) -> None:
        """Hand over a change; returns at once."""
        with self._changed:
            if not any(subscriber.project == change.project for subscriber in self._subscribers):
                return
            for waiting in (self._points, self._rows):
                self._keep(waiting, change)
            self._changed.notify()

    @staticmethod
    def _keep(waiting: dict[int, Change], change: Change) -> None:
        known = waiting.get(change.session_key)
        if known is None:
            waiting[change.session_key] = Change(**asdict(change))
        else:
            known.join(change)

    def _put_back(self, points: list[Change], rows: list[Change]) -> None:
        with self._changed:
            for waiting, changes in ((self._points, points), (self._rows, rows)):
                for change in changes:
                    self._keep(waiting, change)

    def resync(self) -> None:
        """Tell every page to ask again: this process may have missed something."""
        for subscriber in self._all():
            subscriber.put(event("hello", {"time": time.time()}))

    def close(self) -> None:
        """End every stream: the server is stopping."""
        # no lock: this is called from a signal handler, which may have interrupted its holder
        self._closed = True
        for subscriber in list(self._subscribers):
            threading.Thread(target=subscriber.close, daemon=True).start()

    def _all(self) -> list[Subscriber]:
        with self._changed:
            return list(self._subscribers)

    def _start(self, app: Flask) -> None:
        self._thread = threading.Thread(target=self._run, args=(app,), name="losswise-live", daemon=True)
        self._thread.start()
        with app.app_context():
            if not is_sqlite(db.engine):
                listen(app, self.publish, self.resync)

    def _run(self, app: Flask) -> None:
        failed = False
        while not self._closed:
            points: list[Change] = []
            rows: list[Change] = []
            try:
                points, rows = self._take()
                with app.app_context():
                    self._deliver(points, rows)
                failed = False
            except Exception:
                # the database may be away: once more, then what was taken is gone; pages ask again in both cases,
                # since part of it may have been sent
                app.logger.exception("live events could not be read")
                time.sleep(1)
                with contextlib.suppress(Exception):
                    if not failed:
                        self._put_back(points, rows)
                    self.resync()
                failed = not failed

    def _take(self) -> tuple[list[Change], list[Change]]:
        """Wait for changes that are due: a session's points every 100 ms at most, its row every 250 ms."""
        with self._changed:
            while True:
                now = time.monotonic()
                points = self._take_due("points", self._points, now, POINTS_EVERY)
                rows = self._take_due("rows", self._rows, now, ROWS_EVERY)
                if points or rows:
                    return points, rows
                waiting = [("points", key) for key in self._points] + [("rows", key) for key in self._rows]
                soonest = min((self._due.get(place, now) for place in waiting), default=None)
                self._changed.wait(None if soonest is None else max(0.001, soonest - now))

    def _take_due(self, what: str, waiting: dict[int, Change], now: float, every: float) -> list[Change]:
        taken = []
        for key in list(waiting):
            if self._due.get((what, key), now) <= now:
                self._due[(what, key)] = now + every
                taken.append(waiting.pop(key))
        if len(self._due) > 10_000:
            self._due = {place: due for place, due in self._due.items() if due > now}
        return taken

    def _deliver(self, points: list[Change], rows: list[Change]) -> None:
        subscribers = self._all()
        for change in points:
            watching = [
                subscriber
                for subscriber in subscribers
                if subscriber.project == change.project and change.session in subscriber.sessions
            ]
            if watching and not change.deleted:
                body, self._sent[change.session_key] = liveevents.points_event(
                    change, self._sent.get(change.session_key)
                )
                self._put(watching, body)
        for change in rows:
            watching = [subscriber for subscriber in subscribers if subscriber.project == change.project]
            if watching:
                self._put(watching, liveevents.session_event(change))

    @staticmethod
    def _put(subscribers: list[Subscriber], body: str | None) -> None:
        if body is not None:
            for subscriber in subscribers:
                subscriber.put(body)


hub = Hub()
live.on_commit.append(hub.publish)
