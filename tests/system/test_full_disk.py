"""The disk of the database fills up during a load: the cause is named, nothing acknowledged is lost, and it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from losswise_server.db.outages import FULL

from tests.conftest import DATABASES
from tests.support.database.postgres import OwnPostgres, start_postgres
from tests.support.disks import fill, small_disk
from tests.support.load import Load
from tests.support.processes import kill_with_workers
from tests.support.server import Server, eventually
from tests.support.training import arrived, train

STEPS = 150


@pytest.fixture(scope="module")
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    """Of this module's own: a tablespace that is gone after the test would be in the way of other tests."""
    postgres = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield postgres
    postgres.stop()


@pytest.fixture(params=DATABASES)
def on_small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    with small_disk(32) as disk:
        if request.param == "sqlite":
            server = Server(tmp_path)
            server.data_dir = disk / "data"
            server.arguments = ("--data-dir", str(server.data_dir))
        else:
            postgres: OwnPostgres = request.getfixturevalue("own_postgres")
            space = disk / "space"
            space.mkdir()
            postgres.own(space)
            server = Server(tmp_path, postgres.new_database(space))
        server.start()
        yield server, disk
        kill_with_workers(server)


@pytest.mark.full_on_postgresql
def test_a_full_disk(on_small_disk: tuple[Server, Path], tmp_path: Path) -> None:
    server, disk = on_small_disk
    process, session = train(server, tmp_path / "script", STEPS, 0.02)
    with Load(server.api_key, lambda: server.url) as load:
        eventually(load.more(1_000))
        ballast = fill(disk)
        eventually(lambda: load.answers[503] >= 10)
        assert set(load.answers) <= {200, 503}
        assert load.bodies[503] == {"error": FULL, "code": "unavailable"}
        assert load.retry_after[503] is not None
        # what is there can still be looked at
        assert requests.get(server.url + "/healthz", timeout=30).status_code == 200
        assert server.get("/api/v2/sessions")["total"] >= 4
        assert load.total() > 0
        ballast.unlink()
        eventually(load.more(1_000), timeout=30)
    load.check(server)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    eventually(lambda: arrived(server, session) == list(range(STEPS)))
    assert server.session(session)["status"] == "complete"
