"""The hub of one process: open streams, and the thread that turns database changes into their events.

Each committed batch produces a Change (changes.py), which names a session and two of its versions but holds no data.
The hub collects changes, reads what is new from the database once for all streams, and puts the encoded event into each
stream's queue. It keeps no log of events. A page detects a gap by the versions in the events, and then asks for the
series again; after a `hello` event it asks for everything that it shows.

Three threads meet here: request threads add and remove subscribers, the committing thread (SQLite) or the listener
thread (PostgreSQL) publishes changes, and the hub's own thread delivers. `_changed` guards all state that they share.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple, Protocol

from flask import Flask
from sqlalchemy import text

from ..db.engine import is_sqlite, reading
from ..db.outages import LogLimit, OutageLogger, describe_outage
from ..extensions import db
from . import changes as live_changes
from . import events
from .change_queue import ChangeQueue
from .changes import Change, ProjectChange
from .events import Sent
from .pg_listener import listen
from .subscribers import Subscriber, event
from .turns import Turns

POINTS_INTERVAL_S = 0.1
ROW_INTERVAL_S = 0.25
ROW_COST_S = 0.01  # at most a hundred rows a second
ROW_BYTES_PER_S = 64 * 1024  # of one session: the larger its events are, the fewer come
RETRY_INTERVAL_S = 1.0
DEAD_CHECK_INTERVAL_S = 1.0
MAX_SENT = 10_000
READING = "reading"  # the hub's own queries, as a source of outages


class EventReader(Protocol):
    """Builds events from the database: the module `events`."""

    def session_event(self, change: Change) -> bytes: ...
    def points_event(self, change: Change, sent: Sent | None) -> tuple[bytes | None, Sent]: ...
    def unread_event(self, change: Change) -> tuple[bytes, Sent]: ...


class Kind(Enum):
    """What is sent of a change."""

    POINTS = "points"
    ROW = "row"


class Due(NamedTuple):
    """A change to deliver."""

    kind: Kind
    change: Change


class Hub:
    """The subscribers of one process, and the thread that delivers events to them.

    Args:
        reader: builds the events.
        clock: as time.monotonic.
    """

    def __init__(self, reader: EventReader = events, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        self._changed = threading.Condition()
        self._subscribers: set[Subscriber] = set()
        self._queues = {
            Kind.POINTS: ChangeQueue(POINTS_INTERVAL_S),
            Kind.ROW: ChangeQueue(ROW_INTERVAL_S, ROW_COST_S),
        }
        self._turns = Turns()  # of (kind, project): no project waits for all changes of another one
        self._dead_check_at = 0.0
        self._error_log = LogLimit()
        self._sent: dict[int, Sent] = {}
        self._outages: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    # subscribers

    def subscribe(
        self,
        app: Flask,
        projects: frozenset[int],
        sessions: frozenset[str] | None,
        connection: socket.socket | None = None,
    ) -> Subscriber | None:
        """Add a subscriber; None if this process already has as many streams as it may. Starts the thread if needed."""
        subscriber = Subscriber(projects, sessions, connection)
        with self._changed:
            if len(self._subscribers) >= app.config["LIVE_STREAMS"]:
                self._drop_dead(self._subscribers)
            if self._closed or len(self._subscribers) >= app.config["LIVE_STREAMS"]:
                return None
            self._subscribers.add(subscriber)
            for reason in list(self._outages.values())[:1]:
                subscriber.put(event("unavailable", {"reason": reason}))
            self._changed.notify()
            if self._thread is None:
                self._start(app)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        with self._changed:
            self._subscribers.discard(subscriber)

    @property
    def subscriber_count(self) -> int:
        return len(self._subscribers)

    def drop_dead(self) -> None:
        """Remove subscribers whose reader has hung up or has blocked sending for too long.

        Their request threads are free within a moment, not when the next event finds the connection closed.
        """
        self._drop_dead(self._current())

    def close(self) -> None:
        """End all streams: the server is stopping."""
        # no lock: this is called from a signal handler, which may have interrupted its holder
        self._closed = True
        for subscriber in list(self._subscribers):
            threading.Thread(target=subscriber.close, daemon=True).start()

    # what other threads report

    def publish(self, change: Change | ProjectChange) -> None:
        """Queue a change for delivery; returns at once."""
        if isinstance(change, ProjectChange):
            self.refetch(change.refetch_project)
            return
        with self._changed:
            if not any(change.project in subscriber.projects for subscriber in self._subscribers):
                return
            for queue in self._queues.values():
                queue.add(change)
            self._changed.notify()

    def refetch(self, project: int | None = None) -> None:
        """Tell the subscribers of a project to refetch, or all, because notifications may have been missed.

        Deferred while the database is down: `report_recovery` does it then.
        """
        with self._changed:
            if not self._outages:
                for subscriber in self._subscribers:
                    if project is None or project in subscriber.projects:
                        subscriber.ask_again()

    def report_outage(self, source: str, reason: str) -> None:
        """`source` cannot use the database. Pages show the reason, a sentence, of the first such report."""
        with self._changed:
            if not self._outages:
                for subscriber in self._subscribers:
                    subscriber.put(event("unavailable", {"reason": reason}))
            self._outages[source] = reason

    def report_recovery(self, source: str) -> None:
        """`source` can use the database again. Pages refetch once all sources can."""
        with self._changed:
            self._outages.pop(source, None)
            self.refetch()

    # the thread

    def _start(self, app: Flask) -> None:
        self._thread = threading.Thread(target=self._run, args=(app,), name="losswise-live", daemon=True)
        self._thread.start()
        with app.app_context():
            if not is_sqlite(db.engine):
                listen(app, self)

    def _run(self, app: Flask) -> None:
        outage_log = OutageLogger("the database cannot be read for live events")
        is_retry = False
        while not self._closed:
            due = None
            try:
                due = self._next()
                if self._closed:
                    return
                self._drop_dead_if_due()
                with app.app_context():
                    if READING in self._outages:
                        _check_database()
                    if due is not None:
                        self._deliver(app, due)
                is_retry = False
                if READING in self._outages:
                    self.report_recovery(READING)
                    outage_log.recovered(app.logger)
            except Exception as error:
                reason = describe_outage(error)
                if reason is None:
                    self._log_exception(app, "live events could not be read")
                else:
                    outage_log.failed(app.logger, error)
                    self.report_outage(READING, reason)
                time.sleep(RETRY_INTERVAL_S)
                # Deliver the change once more, then drop it. Pages refetch in both cases: some may have been told.
                with contextlib.suppress(Exception):
                    if due is not None and not is_retry:
                        with self._changed:
                            self._queues[due.kind].add(due.change)
                    self.refetch()
                is_retry = not is_retry

    def _next(self) -> Due | None:
        """Wait for a change that is due; None if it is time to look for dead readers."""
        with self._changed:
            while True:
                now = self._clock()
                is_check_due = bool(self._subscribers) and now >= self._dead_check_at
                due = self._take(now)
                if due is not None or is_check_due:
                    return due
                due_times = [at for queue in self._queues.values() if (at := queue.next_due_at(now)) is not None]
                if self._subscribers:
                    due_times.append(self._dead_check_at)
                self._changed.wait(max(0.001, min(due_times) - now) if due_times else None)

    def _take(self, now: float) -> Due | None:
        waiting = [(kind, project) for kind, queue in self._queues.items() for project in queue.projects(now)]
        if not waiting:
            return None
        kind, project = self._turns.next_of(waiting)
        return Due(kind, self._queues[kind].take(project, now))

    def _deliver(self, app: Flask, due: Due) -> None:
        """Send the event of a change. It is read and encoded once, however many subscribers get it."""
        change, begun = due.change, self._clock()
        watching = [subscriber for subscriber in self._current() if change.project in subscriber.projects]
        if due.kind is Kind.ROW:
            if watching:
                self._deliver_row(app, change, watching)
        elif not change.deleted:
            watching = [one for one in watching if one.sessions is None or change.session in one.sessions]
            if watching:
                self._deliver_points(app, change, watching)
        self._turns.charge((due.kind, change.project), self._clock() - begun)

    def _deliver_points(self, app: Flask, change: Change, subscribers: list[Subscriber]) -> None:
        """Send the new points. If only this session cannot be read, its pages are told to ask for the series."""
        body: bytes | None
        try:
            body, sent = self._reader.points_event(change, self._sent.get(change.session_key))
        except Exception as error:
            self._raise_or_log(app, change, error)
            body, sent = self._reader.unread_event(change)
        self._sent[change.session_key] = sent
        if len(self._sent) > MAX_SENT:
            # The next events may repeat points. Pages tell by `to` and `n`.
            self._sent.clear()
        if body is not None:
            for subscriber in subscribers:
                subscriber.put(body)

    def _deliver_row(self, app: Flask, change: Change, subscribers: list[Subscriber]) -> None:
        """Send the session's row. If only this session cannot be read, its row is tried again later."""
        try:
            body = self._reader.session_event(change)
        except Exception as error:
            self._raise_or_log(app, change, error)
            with self._changed:
                self._queues[Kind.ROW].postpone(change.session_key, self._clock() + RETRY_INTERVAL_S)
                self._queues[Kind.ROW].add(change)
            return
        with self._changed:
            self._queues[Kind.ROW].postpone(change.session_key, self._clock() + len(body) / ROW_BYTES_PER_S)
        for subscriber in subscribers:
            subscriber.put(body)

    def _raise_or_log(self, app: Flask, change: Change, error: Exception) -> None:
        """Raise an outage of the database, which concerns all sessions; log anything else and go on."""
        if describe_outage(error) is not None:
            raise error
        self._log_exception(app, f"live events of session {change.session} could not be read")

    def _log_exception(self, app: Flask, message: str) -> None:
        """Log the exception that is being handled, at most once a minute: it may come with every event."""
        if self._error_log.is_due():
            app.logger.exception(message)

    def _current(self) -> list[Subscriber]:
        with self._changed:
            return list(self._subscribers)

    def _drop_dead_if_due(self) -> None:
        now = self._clock()
        if now >= self._dead_check_at:
            self._dead_check_at = now + DEAD_CHECK_INTERVAL_S
            self.drop_dead()

    def _drop_dead(self, subscribers: Iterable[Subscriber]) -> None:
        now = time.monotonic()
        for subscriber in [subscriber for subscriber in subscribers if subscriber.is_dead(now)]:
            subscriber.abandon()
            self.unsubscribe(subscriber)


def _check_database() -> None:
    """Raise what reading the database raises."""
    with reading() as connection:
        connection.execute(text("PRAGMA user_version" if is_sqlite(connection) else "SELECT 1")).all()


hub = Hub()
live_changes.on_commit.append(hub.publish)
