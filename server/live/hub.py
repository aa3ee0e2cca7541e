"""Every open page of this process, and the thread that turns changes into their events.

The hub reads what is new from the database once and hands the events to its subscribers. There is no log of events:
a page that misses some sees the gap in the versions, or a `hello`, and asks again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict

from flask import Flask
from sqlalchemy import text

from ..db.engine import is_sqlite, reading
from ..db.outages import Spell, outage
from ..extensions import db
from . import changes as live_changes
from . import events
from .changes import Change
from .events import Sent
from .pg_listener import listen
from .subscribers import Subscriber, event

POINTS_EVERY = 0.1
ROWS_EVERY = 0.25
ROWS_AT_ONCE = 5
ROW_PAUSE = 0.01
"""Seconds a row: where many sessions change, a hundred rows a second are told, and points come first."""
AGAIN_AFTER = 1.0
"""Seconds after which a row is read again that could not be read."""
SAY_EVERY = 60.0
"""Seconds between two lines in the log about events that could not be read."""
LOOK_EVERY = 1.0
"""Seconds between two looks for readers that are gone."""
READING = "reading"


class Hub:
    """The subscribers of one process, and the thread that turns changes into their events."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._subscribers: set[Subscriber] = set()
        self._points: dict[int, Change] = {}
        self._rows: dict[int, Change] = {}
        self._due: dict[tuple[str, int], float] = {}
        self._rows_from = self._looks_at = 0.0
        self._says_from = -SAY_EVERY
        self._sent: dict[int, Sent] = {}
        self._away: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def subscribe(
        self,
        app: Flask,
        projects: frozenset[int],
        sessions: frozenset[str] | None,
        connection: socket.socket | None = None,
    ) -> Subscriber | None:
        """A new subscriber, or None where there are as many as this process holds."""
        subscriber = Subscriber(projects, sessions, connection)
        with self._changed:
            if len(self._subscribers) >= app.config["LIVE_STREAMS"]:
                self._drop_gone(self._subscribers)
            if self._closed or len(self._subscribers) >= app.config["LIVE_STREAMS"]:
                return None
            self._subscribers.add(subscriber)
            for reason in list(self._away.values())[:1]:
                subscriber.put(event("away", {"reason": reason}))
            self._changed.notify()
            if self._thread is None:
                self._start(app)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        with self._changed:
            self._subscribers.discard(subscriber)

    def publish(self, change: Change) -> None:
        """Hand over a change; returns at once."""
        with self._changed:
            if not any(change.project in subscriber.projects for subscriber in self._subscribers):
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
        """Tell every page to ask again: this process may have missed something. While the database is away, that
        comes once it is back."""
        with self._changed:
            if not self._away:
                for subscriber in self._subscribers:
                    subscriber.ask_again()

    def away(self, what: str, reason: str) -> None:
        """`what` of the database fails: every page is told, once."""
        with self._changed:
            if not self._away:
                for subscriber in self._subscribers:
                    subscriber.put(event("away", {"reason": reason}))
            self._away[what] = reason

    def back(self, what: str) -> None:
        """`what` works again: every page asks again, once nothing fails any more."""
        with self._changed:
            self._away.pop(what, None)
            self.resync()

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
                listen(app, self)

    def _run(self, app: Flask) -> None:
        failed = False
        spell = Spell("the database cannot be read for live events")
        while not self._closed:
            points: list[Change] = []
            rows: list[Change] = []
            try:
                points, rows = self._take()
                if self._closed:
                    return
                if time.monotonic() >= self._looks_at:
                    self._looks_at = time.monotonic() + LOOK_EVERY
                    self._drop_gone(self._all())
                with app.app_context():
                    if READING in self._away:
                        _read_something()
                    self._deliver(app, points, rows)
                failed = False
                if READING in self._away:
                    self.back(READING)
                    spell.well(app.logger)
            except Exception as error:
                # the database may be away: once more, then what was taken is gone; pages ask again in both cases,
                # since part of it may have been sent
                passing = outage(error)
                if passing is None:
                    self._say(app, "live events could not be read")
                else:
                    spell.failed(app.logger, error)
                    self.away(READING, passing)
                time.sleep(1)
                with contextlib.suppress(Exception):
                    if not failed:
                        self._put_back(points, rows)
                    self.resync()
                failed = not failed

    def _take(self) -> tuple[list[Change], list[Change]]:
        """Wait for changes that are due: a session's points every 100 ms at most, its row every 250 ms, on average."""
        with self._changed:
            while True:
                now = time.monotonic()
                points = self._take_due("points", self._points, now, POINTS_EVERY)
                rows = self._take_rows(now)
                if points or rows or (self._subscribers and now >= self._looks_at):
                    return points, rows
                waiting = [self._due.get(("points", key), now) for key in self._points]
                waiting += [max(self._rows_from, self._due.get(("rows", key), now)) for key in self._rows]
                waiting += [self._looks_at] if self._subscribers else []
                self._changed.wait(max(0.001, min(waiting) - now) if waiting else None)

    def _take_rows(self, now: float) -> list[Change]:
        if now < self._rows_from:
            return []
        rows = self._take_due("rows", self._rows, now, ROWS_EVERY, ROWS_AT_ONCE)
        self._rows_from = now + len(rows) * ROW_PAUSE
        return rows

    def _take_due(
        self, what: str, waiting: dict[int, Change], now: float, every: float, most: int | None = None
    ) -> list[Change]:
        taken: list[Change] = []
        for key in list(waiting):
            if len(taken) == most:
                break
            due = self._due.get((what, key), 0.0)
            if due <= now:
                # what comes as often as that on average does not wait because one came early
                self._due[(what, key)] = max(due, now - every) + every
                taken.append(waiting.pop(key))
        if len(self._due) > 10_000:
            self._due = {place: due for place, due in self._due.items() if due > now}
        return taken

    def _deliver(self, app: Flask, points: list[Change], rows: list[Change]) -> None:
        """Each event is read and encoded once, whatever the number of its readers.

        What is wrong with one session does not concern the others: the pages that show it ask for its points, and
        its row comes later.
        """
        subscribers = self._all()
        for change in points:
            watching = [
                subscriber
                for subscriber in subscribers
                if change.project in subscriber.projects
                and (subscriber.sessions is None or change.session in subscriber.sessions)
            ]
            if watching and not change.deleted:
                body: bytes | None
                try:
                    body, sent = events.points_event(change, self._sent.get(change.session_key))
                except Exception as error:
                    self._pass_over(app, change, error)
                    body, sent = events.unread_event(change)
                self._sent[change.session_key] = sent
                self._put(watching, body)
        for change in rows:
            watching = [subscriber for subscriber in subscribers if change.project in subscriber.projects]
            if watching:
                try:
                    self._put(watching, events.session_event(change))
                except Exception as error:
                    self._pass_over(app, change, error)
                    self._due[("rows", change.session_key)] = time.monotonic() + AGAIN_AFTER
                    self._put_back([], [change])
        if len(self._sent) > 10_000:
            self._sent.clear()  # a session's next event may then hold points that were sent; pages tell by `to` and `n`

    def _pass_over(self, app: Flask, change: Change, error: Exception) -> None:
        """Go on with the other sessions, unless the database is away."""
        if outage(error) is not None:
            raise error
        self._say(app, f"live events of session {change.session} could not be read")

    def _say(self, app: Flask, words: str) -> None:
        """A line in the log, with the exception that is being handled; now and then, since it may come every time."""
        now = time.monotonic()
        if now - self._says_from >= SAY_EVERY:
            self._says_from = now
            app.logger.exception(words)

    def _drop_gone(self, subscribers: Iterable[Subscriber]) -> None:
        """Their threads are free within a moment, not when the next event finds the connection closed."""
        now = time.monotonic()
        gone = [subscriber for subscriber in subscribers if subscriber.is_gone(now)]
        for subscriber in gone:
            subscriber.abandon()
            self.unsubscribe(subscriber)

    @staticmethod
    def _put(subscribers: list[Subscriber], body: bytes | None) -> None:
        if body is not None:
            for subscriber in subscribers:
                subscriber.put(body)


def _read_something() -> None:
    """Raises what reading the database raises."""
    with reading() as connection:
        connection.execute(text("PRAGMA user_version" if is_sqlite(connection) else "SELECT 1")).all()


hub = Hub()
live_changes.on_commit.append(hub.publish)
