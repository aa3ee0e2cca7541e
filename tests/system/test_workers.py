"""Several workers and several servers on one PostgreSQL: started together, killed, restarted in turn, under load."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from losswise_server import create_app
from losswise_server.config import load_settings
from losswise_server.db.engine import SETUP_LOCK, STALE_LOCK
from losswise_server.db.models import Session
from losswise_server.db.urls import normalize_url
from losswise_server.extensions import db
from losswise_server.maintenance import silence
from losswise_server.setup.upgrade import upgrade_schema
from sqlalchemy import create_engine, insert, select, text

from tests.support.batches import Writing
from tests.support.database.postgres import Postgres
from tests.support.database.rows import database
from tests.support.load import Load
from tests.support.network.balancer import Balancer
from tests.support.processes import kill_with_workers, workers
from tests.support.server import ENDED, Server, eventually
from tests.support.training import arrived, train


@pytest.fixture
def make(postgres: Postgres, tmp_path: Path) -> Iterator[Callable[..., list[Server]]]:
    """Makes servers on one new database, not started yet. They share the secret, as several hosts must."""
    made: list[Server] = []

    def make(count: int, *arguments: str) -> list[Server]:
        url = postgres.new_database()
        environ = {"LW_SECRET_KEY": "a secret that the hosts share"}
        made.extend(Server(tmp_path / f"server{number}", url, arguments, environ) for number in range(count))
        return made

    yield make
    for server in made:
        if server.process is not None and server.process.poll() is None:
            kill_with_workers(server)


def start_together(servers: list[Server]) -> None:
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(lambda server: server.start(), servers))


def test_three_servers_start_at_once_and_one_dies(make: Callable[..., list[Server]]) -> None:
    servers = make(3, "--workers", "2")
    start_together(servers)
    with database(servers[0]) as connection:
        for table in ("alembic_version", "users", "organizations", "projects", "api_keys"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 1, table
    assert len({server.get("/api/v2/me")["project"]["id"] for server in servers}) == 1
    left = servers[:2]
    turn = iter(range(10**9))
    with Load(servers[0].api_key, lambda: left[next(turn) % 2].url) as load:
        eventually(load.more(500))
        kill_with_workers(servers[2])
        eventually(load.more(500))
    for server in left:
        load.check(server)
    # a cookie of one is good at the other
    browser = left[0].signed_in()
    assert browser.get(left[1].url + "/api/v2/me", timeout=30).status_code == 200


@pytest.mark.full
def test_a_reader_of_changes_misses_no_session_of_any_worker(make: Callable[..., list[Server]]) -> None:
    """Scripts make short sessions by way of several servers, whose transactions commit in any order."""
    servers = make(2, "--workers", "2")
    start_together(servers)
    cursor = servers[0].get("/api/v2/sessions")["cursor"]
    heard: dict[str, int] = {}
    ends_at = time.monotonic() + 4

    def write(number: int) -> None:
        count = 0
        while time.monotonic() < ends_at:
            count += 1
            run = Writing(servers[(number + count) % 2], tag=f"{number}.{count}")
            run.points(run.graph(), [0], loss=[1.0])
            run.end()

    def ask(server: Server) -> None:
        nonlocal cursor
        answer = server.get("/api/v2/sessions/changes", since=cursor)
        cursor = answer["cursor"]
        heard.update((session["id"], session["version"]) for session in answer["sessions"])

    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        asked = 0
        while not all(writer.done() for writer in writers):
            ask(servers[asked % 2])
            asked += 1
        for writer in writers:
            writer.result()
    ask(servers[0])
    held = servers[1].get("/api/v2/sessions", limit=1_000)["sessions"]
    assert heard == {session["id"]: session["version"] for session in held}
    assert len(held) > 20


def test_migrations_wait_for_a_running_migration(postgres: Postgres, tmp_path: Path) -> None:
    """The lock of a process that dies while it migrates is free again."""
    url = postgres.new_database()
    app = create_app(load_settings(str(tmp_path), url, environ={}))
    engine = create_engine(normalize_url(url))
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": SETUP_LOCK})
        pid = other.execute(text("SELECT pg_backend_pid()")).scalar()
        upgrading = pool.submit(upgrade_schema, app)
        with engine.connect() as looking:
            waits = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            eventually(lambda: looking.execute(waits).scalar() == 1)
            assert not upgrading.done()
            assert looking.execute(text("SELECT to_regclass('sessions')")).scalar() is None
            looking.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        upgrading.result(60)
        other.invalidate()
    with app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM sessions")).scalar() == 0
        db.session.rollback()
        db.engine.dispose()
    engine.dispose()


@pytest.mark.parametrize("kills", [1, pytest.param(8, marks=pytest.mark.full)])
def test_a_killed_worker_loses_nothing(make: Callable[..., list[Server]], tmp_path: Path, kills: int) -> None:
    [server] = make(1, "--workers", "3")
    server.start()
    steps = 100 * kills
    process, session = train(server, tmp_path / "script", steps, 0.02)
    killed = set()
    with Load(server.api_key, lambda: server.url, pause=0) as load:
        for _ in range(kills):
            eventually(load.more(500))
            before = workers(server)
            killed.add(before[0])
            os.kill(before[0], signal.SIGKILL)
            eventually(lambda: len(set(workers(server)) - killed) == 3)
        eventually(load.more(500))
    assert set(load.answers) <= {0, 200}
    load.check(server)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert arrived(server, session) == list(range(steps))


@pytest.mark.full
def test_servers_are_restarted_in_turn(make: Callable[..., list[Server]], tmp_path: Path) -> None:
    restarts = 4
    servers, steps = make(2), 200 * restarts
    start_together(servers)
    with Balancer([server.port for server in servers]) as balancer:
        process, session = train(servers[0], tmp_path / "script", steps, 0.02, balancer.url)
        with Load(servers[0].api_key, lambda: balancer.url) as load:
            for server in (servers * 2)[:restarts]:
                eventually(load.more(200))
                assert server.stop() in ENDED
                eventually(load.more(200))
                server.start(server.port)
            taken = balancer.taken.copy()
            eventually(lambda: all(balancer.taken[port] > taken[port] for port in taken))
        assert set(load.answers) <= {0, 200}
        assert load.answers[0] <= 20 * restarts  # those that were on their way
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    for server in servers:
        load.check(server)
        assert arrived(server, session) == list(range(steps))


# silent sessions


def test_the_sweep_of_a_worker_that_died_is_done_by_another(postgres: Postgres, tmp_path: Path) -> None:
    """The lock is held by a worker; it dies; the next one sweeps."""
    app = create_app(load_settings(str(tmp_path), postgres.new_database(), environ={}))
    upgrade_schema(app)
    later = time.time() + 1_000
    with app.app_context():
        with db.engine.begin() as connection:
            values = {"id": "0" * 20, "project_id": 1, "created_at": 1.0, "updated_at": 1.0, "last_seen_at": 1.0}
            connection.execute(insert(Session).values(**values))
        with db.engine.connect() as other, db.engine.connect() as looking:
            other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": STALE_LOCK})
            pid = other.execute(text("SELECT pg_backend_pid()")).scalar()
            assert silence.mark_stale(later) == 0
            looking.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            eventually(lambda: silence.mark_stale(later) == 1)
            assert looking.execute(select(Session.status)).scalar() == "cancelled"
            other.invalidate()
        db.engine.dispose()


@pytest.mark.full
def test_a_silent_session_is_found_though_workers_die(make: Callable[..., list[Server]]) -> None:
    [server] = make(1, "--workers", "3")
    server.start()
    run = Writing(server)

    def status() -> str:
        with database(server) as connection:
            query = text("SELECT status FROM sessions WHERE id = :id")
            return str(connection.execute(query, {"id": run.session}).scalar())

    began = time.monotonic()
    while time.monotonic() - began < 55:
        os.kill(workers(server)[0], signal.SIGKILL)
        assert status() == "active"
        time.sleep(2)
    eventually(lambda: status() == "cancelled", timeout=90)
