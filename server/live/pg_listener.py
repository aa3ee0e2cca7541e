"""PostgreSQL's LISTEN: receive the changes that any worker on any host commits."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import psycopg2
from flask import Flask

from ..db.outages import UNREACHABLE, OutageLogger, describe_outage
from ..extensions import db
from .changes import CHANNEL, Change, ProjectChange, read_notification

READY_TIMEOUT_S = 5.0
CONNECT_TIMEOUT_S = 10
RECONNECT_INTERVAL_S = 1.0
# How often an idle connection is tested, to notice that the server is gone.
IDLE_CHECK_INTERVAL_S = 30
LISTENING = "listening"  # this connection, as a source of outages


class Receiver(Protocol):
    """The interface that the listener reports to: the hub."""

    def publish(self, change: Change | ProjectChange) -> None: ...
    def refetch(self) -> None: ...
    def report_outage(self, source: str, reason: str) -> None: ...
    def report_recovery(self, source: str) -> None: ...


def listen(
    app: Flask,
    receiver: Receiver,
    connect: Callable[..., Any] = psycopg2.connect,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Start a thread that publishes notifications, and wait until it listens, READY_TIMEOUT_S at most.

    The thread reconnects by itself. Pages refetch after each reconnect, since notifications that are sent meanwhile are
    lost.
    """
    with app.app_context():
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    ready = threading.Event()
    listener = _Listener(app, receiver, lambda: connect(url, connect_timeout=CONNECT_TIMEOUT_S), clock, sleep, ready)
    threading.Thread(target=listener.run, name="losswise-listener", daemon=True).start()
    ready.wait(READY_TIMEOUT_S)


class _Listener:
    def __init__(
        self,
        app: Flask,
        receiver: Receiver,
        connect: Callable[[], Any],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        ready: threading.Event,
    ) -> None:
        self._app = app
        self._receiver = receiver
        self._connect = connect
        self._clock = clock
        self._sleep = sleep
        self._ready = ready
        self._outage_log = OutageLogger("the database's notifications are interrupted")

    def run(self) -> None:
        # The first page waits for the first connection, so it misses nothing, unless that took too long.
        started_at = self._clock()
        must_refetch = False
        while True:
            try:
                connection = self._connect()
                try:
                    connection.set_session(autocommit=True)
                    with connection.cursor() as cursor:
                        cursor.execute(f"LISTEN {CHANNEL}")
                    self._ready.set()
                    if must_refetch or self._clock() - started_at > READY_TIMEOUT_S / 2:
                        self._receiver.report_recovery(LISTENING)
                    self._outage_log.recovered(self._app.logger)
                    self._forward(connection)
                finally:
                    connection.close()
            except Exception as error:  # whatever it was: without this thread no page gets live events
                self._outage_log.failed(self._app.logger, error)
                self._receiver.report_outage(LISTENING, describe_outage(error) or UNREACHABLE)
                self._sleep(RECONNECT_INTERVAL_S)
            must_refetch = True

    def _forward(self, connection: Any) -> None:
        """Publish notifications until the connection fails."""
        while True:
            # First those that came with the answer to a query: they are read already, so select would not report them.
            connection.poll()
            while connection.notifies:
                try:
                    change = read_notification(connection.notifies.pop(0).payload)
                except ValueError as error:
                    self._app.logger.warning("a notification of the database is not understood: %s", error)
                    self._receiver.refetch()
                    continue
                self._receiver.publish(change)
            if select.select([connection], [], [], IDLE_CHECK_INTERVAL_S) == ([], [], []):
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
