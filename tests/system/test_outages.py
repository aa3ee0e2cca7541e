"""The whole way, script to server, while something breaks."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DATABASES, database_url
from tests.support.network.stream import Stream
from tests.support.server import ENDED, Server, eventually
from tests.support.training import arrived, train


@pytest.fixture
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """A server on each database: what takes long is done on both at once."""
    made = [Server(tmp_path_factory.mktemp("server"), database_url(name, request)).start() for name in DATABASES]
    yield made
    for server in made:
        server.kill()


@pytest.mark.full
def test_the_server_is_away_for_ten_seconds(servers: list[Server], tmp_path: Path) -> None:
    runs = [train(server, tmp_path / f"{n}", 440, 0.05) for n, server in enumerate(servers)]
    for server, (_, session) in zip(servers, runs, strict=True):
        eventually(lambda server=server, session=session: arrived(server, session))  # type: ignore[misc]
    time.sleep(1)
    for server in servers:
        assert server.stop() in ENDED
    time.sleep(10)
    for server in servers:
        server.start(server.port)
    for server, (process, session) in zip(servers, runs, strict=True):
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
        assert arrived(server, session) == list(range(440))
        row = server.session(session)
        assert (row["status"], row["stats"]["train_loss"]["count"]) == ("complete", 440)
        # one line when it went away, one when it came back
        assert len([line for line in stderr.splitlines() if line.startswith("losswise")]) <= 4, stderr


@pytest.mark.full
def test_a_killed_script_is_shown_as_silent(servers: list[Server], tmp_path: Path) -> None:
    runs = [train(server, tmp_path / f"{n}", 10_000, 0.01) for n, server in enumerate(servers)]
    streams = []
    for server, (_, session) in zip(servers, runs, strict=True):
        eventually(lambda server=server, session=session: len(arrived(server, session)) > 50)  # type: ignore[misc]
        [project] = server.get("/api/v2/projects")["projects"]
        streams.append(Stream(server, project_id=project["id"]))
    for process, _ in runs:
        process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    for server, (_, session) in zip(servers, runs, strict=True):
        assert server.session(session)["status"] == "active"
    for server, (_, session), stream in zip(servers, runs, streams, strict=True):
        row = stream.wait("session", lambda data: data["status"] != "active", timeout=75)
        assert (row["id"], row["status"], row["reason"]) == (session, "cancelled", "silent")
        assert server.get("/api/v2/sessions", status="cancelled")["total"] == 1
        assert arrived(server, session) == list(range(len(arrived(server, session))))
    assert 55 < time.monotonic() - killed < 80
