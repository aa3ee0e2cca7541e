"""Deleting a session: it disappears at once; its rows are deleted in the background, also after a restart."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from losswise_server import create_app
from losswise_server.config import load_settings
from losswise_server.db.engine import PURGE_LOCK, writing
from losswise_server.db.models import points
from losswise_server.db.session_tables import SESSION_TABLES
from losswise_server.extensions import db
from losswise_server.maintenance import purge
from losswise_server.setup.upgrade import upgrade_schema
from sqlalchemy import func, insert, select, text

from losswise.protocol import records
from tests.conftest import DATABASES, database_url
from tests.support.batches import Writing
from tests.support.database.postgres import Postgres
from tests.support.database.rows import database, has_rows, key_of, multiply_points, rows_left
from tests.support.processes import kill_with_workers
from tests.support.server import Server, eventually

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(100)


def fat_session(server: Server, rows: int) -> tuple[Writing, int]:
    """A session with this many points and something in every other table, and its key."""
    run = Writing(server)
    graph = run.graph()
    run.send(records.text_record("note", "words"))
    run.points(graph, [0], loss=[1.0])
    key = key_of(server, run.session)
    multiply_points(server, key, rows)
    return run, key


def delete(server: Server, session: str) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    assert server.request("DELETE", f"/api/v2/sessions/{session}").status_code == 200
    return time.monotonic() - began


def all_gone(server: Server, key: int) -> bool:
    return not any(
        has_rows(server, name, key) for name in [*(table.name for table in SESSION_TABLES), "pending_purges"]
    )


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize("rows", [400_000, pytest.param(10_000_000, marks=pytest.mark.full)])
def test_a_large_session_is_gone_at_once(own_server: Server, rows: int) -> None:
    other = Writing(own_server)
    graph = other.graph()
    run, key = fat_session(own_server, rows)
    deleted_in = delete(own_server, run.session)
    began = time.monotonic()
    assert has_rows(own_server, "points", key), "the rows were deleted before the answer"
    assert own_server.request("GET", f"/api/v2/sessions/{run.session}").status_code == 404
    answer = own_server.post_batch(run.session, [], writer=run.writer, seq=run.seq)
    assert (answer.status_code, answer.json()["code"]) == (410, "deleted_session")
    # other sessions are written and read meanwhile
    longest, batches, x = 0.0, 0, 0
    while has_rows(own_server, "points", key):
        at = time.monotonic()
        other.points(graph, list(range(x, x + 100)), loss=[1.0] * 100)
        longest = max(longest, time.monotonic() - at)
        batches, x = batches + 1, x + 100
    freed_in = time.monotonic() - began
    assert batches > 3
    assert longest < freed_in / 2
    assert deleted_in < freed_in / 2
    assert other.row()["points"] == x
    eventually(lambda: all_gone(own_server, key))
    assert len(own_server.points(graph)["loss"]["x"]) == x


@pytest.mark.full
def test_sqlite_reuses_the_space_of_deleted_rows(new_server: Any) -> None:
    server = new_server().start()
    run, key = fat_session(server, 100_000)

    def pages() -> int:
        with database(server) as connection:
            return int(connection.execute(text("PRAGMA page_count")).scalar_one())

    before = pages()
    delete(server, run.session)
    eventually(lambda: all_gone(server, key))
    fat_session(server, 80_000)
    assert pages() <= before * 1.05


@pytest.mark.full_on_postgresql
def test_purging_continues_after_the_server_was_killed(own_server: Server) -> None:
    run, key = fat_session(own_server, 300_000)
    delete(own_server, run.session)
    eventually(lambda: rows_left(own_server, "points", key) < 300_000, every=0.001)
    kill_with_workers(own_server)
    assert 0 < rows_left(own_server, "points", key) < 300_000
    own_server.start(own_server.port)
    eventually(lambda: all_gone(own_server, key))
    answer = own_server.post_batch(run.session, [], writer=run.writer, seq=run.seq)
    assert answer.json()["code"] == "deleted_session"


def test_nothing_is_added_to_a_deleted_session(server: Server) -> None:
    run = Writing(server)
    address = f"/api/v2/sessions/{run.session}/blobs/{'0' * 64}"
    delete(server, run.session)
    answer = server.request("PUT", address, data=IMAGE)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")


# in the application


@pytest.fixture(params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    url = database_url(request.param, request)
    app = create_app(load_settings(str(tmp_path), url, environ={}))
    upgrade_schema(app)
    with app.app_context():
        yield app
        db.engine.dispose()


def add_rows(keys: list[int], each: int) -> None:
    """Insert points of sessions that do not exist."""
    fill = {"t": 0.0, "y": b"" if points.c.y.type.python_type is bytes else {}, "name_set": 0}
    rows = [
        {**{name: value for name, value in fill.items() if name in points.c}, "session_key": key, "graph": 1, **place}
        for key in keys
        for place in ({"x": n, "sequence": n} for n in range(each))
    ]
    with writing() as connection:
        connection.execute(insert(points), rows)


def counted() -> dict[int, int]:
    query = select(points.c.session_key, func.count()).group_by(points.c.session_key)
    with writing() as connection:
        return dict(connection.execute(query).all())


class Clock:
    """A clock by which chunks take these seconds, then none. `left`: rows of session 1 at each pause."""

    def __init__(self, *chunks: float) -> None:
        ends = itertools.chain(chunks, itertools.repeat(0.0))
        self._times = (at for seconds in ends for at in (0.0, seconds))
        self.left: list[int] = []
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return next(self._times)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.left.append(counted().get(1, 0))


def test_rows_of_deleted_sessions_are_purged_in_chunks(app: Flask) -> None:
    add_rows([1, 2, 3], 250)
    clock = Clock()
    with writing() as connection:
        purge.schedule(connection, 1)
        purge.schedule(connection, 3)
        purge.schedule(connection, 3)
    assert purge.purge(max_chunk_rows=40, clock=clock) == 500
    assert counted() == {2: 250}
    # 10, 20, 40, 40, ... rows in a transaction of their own
    assert clock.left[:7] == [240, 220, 180, 140, 100, 60, 20]
    assert purge.purge() == 0


def test_a_chunk_that_takes_long_is_followed_by_a_smaller_one(app: Flask) -> None:
    add_rows([1], 100)
    clock = Clock(0.01, 0.5, 0.5, 0.5)
    with writing() as connection:
        purge.schedule(connection, 1)
    assert purge.purge(clock=clock) == 100
    # 10, 20, 10, 10, 10, 20 rows, and what is left of 40
    assert clock.left[:6] == [90, 70, 60, 50, 40, 20]
    assert clock.pauses[:5] == [0.01, 0.5, 0.5, 0.5, purge.MIN_PAUSE_S]


def test_another_worker_holds_the_lock(postgres: Postgres, tmp_path: Path) -> None:
    app = create_app(load_settings(str(tmp_path), postgres.new_database(), environ={}))
    upgrade_schema(app)
    with app.app_context():
        add_rows([1], 100)
        with writing() as connection:
            purge.schedule(connection, 1)
        with db.engine.begin() as other:
            other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PURGE_LOCK})
            assert purge.purge() == 0
            assert counted() == {1: 100}
        assert purge.purge() == 100
        db.engine.dispose()


def test_every_table_with_a_session_key_is_purged() -> None:
    with_key = {table.name for table in db.metadata.sorted_tables if "session_key" in table.c}
    assert {table.name for table in SESSION_TABLES} == with_key - {"pending_purges"}
