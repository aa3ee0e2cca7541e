"""PostgreSQL's notifications: what any worker on any host committed, heard in this process."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Callable

import psycopg2
from flask import Flask

from .extensions import db
from .live import CHANNEL, Change


def listen(app: Flask, publish: Callable[[Change], None], resync: Callable[[], None]) -> None:
    """Start the thread that publishes what it hears; it connects again by itself, and then calls `resync`."""
    with app.app_context():
        url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    ready = threading.Event()
    thread = threading.Thread(
        target=_listen, args=(app, publish, resync, url, ready), name="losswise-listener", daemon=True
    )
    thread.start()
    ready.wait(5)


def _listen(
    app: Flask, publish: Callable[[Change], None], resync: Callable[[], None], url: str, ready: threading.Event
) -> None:
    first = True
    while True:
        try:
            connection = psycopg2.connect(url, connect_timeout=10)
            try:
                connection.set_session(autocommit=True)
                with connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {CHANNEL}")
                ready.set()
                if not first:
                    resync()
                _forward(connection, publish)
            finally:
                connection.close()
        except (psycopg2.Error, OSError) as error:
            app.logger.warning("the database's notifications are interrupted: %s", str(error).strip())
            time.sleep(1)
        first = False


def _forward(connection: psycopg2.extensions.connection, publish: Callable[[Change], None]) -> None:
    while True:
        if select.select([connection], [], [], 30) == ([], [], []):
            with connection.cursor() as cursor:  # finds out that the server is gone
                cursor.execute("SELECT 1")
        connection.poll()
        while connection.notifies:
            publish(Change(**json.loads(connection.notifies.pop(0).payload)))
