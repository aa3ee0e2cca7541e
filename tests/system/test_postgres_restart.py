"""PostgreSQL is restarted, as after a crash, in the middle of a load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from losswise_server.db import outages

from tests.support.database.postgres import OwnPostgres, start_postgres
from tests.support.load import Load
from tests.support.network.stream import Stream
from tests.support.processes import kill_with_workers
from tests.support.server import Server, eventually
from tests.support.training import arrived, train

STEPS = 200


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    postgres = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield postgres
    postgres.stop()


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.full)])
def test_a_restart_loses_nothing(own_postgres: OwnPostgres, tmp_path: Path, times: int) -> None:
    server = Server(tmp_path, own_postgres.new_database(), ("--workers", "2")).start()
    try:
        process, session = train(server, tmp_path / "script", STEPS * times, 0.02)
        with Load(server.api_key, lambda: server.url) as load:
            for _ in range(times):
                eventually(load.more(1_000))
                own_postgres.restart()
                eventually(load.more(1_000), timeout=60)
        assert set(load.answers) <= {200, 503}, load.bodies
        if 503 in load.bodies:
            assert load.bodies[503]["error"] in (outages.RESTARTING, outages.UNREACHABLE)
        load.check(server)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
        eventually(lambda: arrived(server, session) == list(range(STEPS * times)))
        # pages hear again
        [project] = server.get("/api/v2/projects")["projects"]
        stream = Stream(server, project_id=project["id"])
        stream.wait("hello")
        with Load(server.api_key, lambda: server.url, sessions=1):
            stream.wait("session", lambda row: row["tag"] == "load" and row["status"] == "active")
        stream.close()
    finally:
        kill_with_workers(server)
