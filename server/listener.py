"""PostgreSQL's notifications: what any worker on any host committed, heard in this process."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable

import psycopg2
from flask import Flask

from .extensions import db
from .live import CHANNEL, Change

READY_WITHIN = 5.0


def listen(app: Flask, publish: Callable[[Change], None], resync: Callable[[], None]) -> None:
    """Start the thread that publishes what it hears; it connects again by itself, and then calls `resync`."""
    with app.app_context():
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    ready = threading.Event()
    thread = threading.Thread(
        target=_listen, args=(app, publish, resync, url, ready), name="losswise-listener", daemon=True
    )
    thread.start()
    ready.wait(READY_WITHIN)


def _listen(
    app: Flask, publish: Callable[[Change], None], resync: Callable[[], None], url: str, ready: threading.Event
) -> None:
    first, started = True, time.monotonic()
    while True:
        try:
            connection = psycopg2.connect(url, connect_timeout=10)
            try:
                connection.set_session(autocommit=True)
                with connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {CHANNEL}")
                ready.set()
                # the first page has waited for it; where that took too long, it may have missed something
                if not first or time.monotonic() - started > READY_WITHIN / 2:
                    resync()
                _forward(app, connection, publish, resync)
            finally:
                connection.close()
        except Exception as error:  # whatever it was: without this thread no page hears anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            app.logger.warning("the database's notifications are interrupted: %s", reason)
            time.sleep(1)
        first = False


def _forward(
    app: Flask,
    connection: psycopg2.extensions.connection,
    publish: Callable[[Change], None],
    resync: Callable[[], None],
) -> None:
    while True:
        # first what came together with an answer: it is read already, and select would not see it
        connection.poll()
        while connection.notifies:
            try:
                change = Change.read(connection.notifies.pop(0).payload)
            except ValueError as error:
                app.logger.warning("a notification of the database is not understood: %s", error)
                resync()
                continue
            publish(change)
        if select.select([connection], [], [], 30) == ([], [], []):
            with connection.cursor() as cursor:  # finds out that the server is gone
                cursor.execute("SELECT 1")
