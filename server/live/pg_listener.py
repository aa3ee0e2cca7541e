"""PostgreSQL's notifications: what any worker on any host committed, heard in this process."""

from __future__ import annotations

import select
import threading
import time
from typing import Protocol

import psycopg2
from flask import Flask

from ..db.outages import UNREACHABLE, Spell, outage
from ..extensions import db
from .changes import CHANNEL, Change

READY_WITHIN = 5.0
LISTENING = "listening"


class Hearer(Protocol):
    """Who is told what is heard, and while nothing can be heard."""

    def publish(self, change: Change) -> None:
        """A session has changed."""

    def resync(self) -> None:
        """Something may have been missed."""

    def away(self, what: str, reason: str) -> None:
        """`what` has failed, and is tried again; `reason` is a sentence."""

    def back(self, what: str) -> None:
        """`what` works again; something may have been missed."""


def listen(app: Flask, hearer: Hearer) -> None:
    """Start the thread that publishes what it hears; it connects again by itself."""
    with app.app_context():
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    ready = threading.Event()
    thread = threading.Thread(target=_listen, args=(app, hearer, url, ready), name="losswise-listener", daemon=True)
    thread.start()
    ready.wait(READY_WITHIN)


def _listen(app: Flask, hearer: Hearer, url: str, ready: threading.Event) -> None:
    spell = Spell("the database's notifications are interrupted")
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
                    hearer.back(LISTENING)
                spell.well(app.logger)
                _forward(app, connection, hearer)
            finally:
                connection.close()
        except Exception as error:  # whatever it was: without this thread no page hears anything
            spell.failed(app.logger, error)
            hearer.away(LISTENING, outage(error) or UNREACHABLE)
            time.sleep(1)
        first = False


def _forward(app: Flask, connection: psycopg2.extensions.connection, hearer: Hearer) -> None:
    while True:
        # first what came together with an answer: it is read already, and select would not see it
        connection.poll()
        while connection.notifies:
            try:
                change = Change.read(connection.notifies.pop(0).payload)
            except ValueError as error:
                app.logger.warning("a notification of the database is not understood: %s", error)
                hearer.resync()
                continue
            hearer.publish(change)
        if select.select([connection], [], [], 30) == ([], [], []):
            with connection.cursor() as cursor:  # finds out that the server is gone
                cursor.execute("SELECT 1")
