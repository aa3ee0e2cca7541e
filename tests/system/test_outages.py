"""The whole way, script to server, while something breaks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DATABASES, database_url
from tests.support.server import Server, clean_environment, eventually
from tests.support.stream import Stream

SCRIPT = """
import sys, time
import losswise

steps, pause = int(sys.argv[1]), float(sys.argv[2])
with losswise.Session(tag="outage", max_iter=steps, track_git=False) as session:
    print(session.id, flush=True)
    graph = session.graph("loss", kind="min")
    for x in range(steps):
        graph.append(x, {"train_loss": 1 / (x + 1), "x": x})
        time.sleep(pause)
"""


@pytest.fixture
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """A server on each database: what takes long is done on both at once."""
    made = [Server(tmp_path_factory.mktemp("server"), database_url(name, request)).start() for name in DATABASES]
    yield made
    for server in made:
        server.kill()


def train(server: Server, folder: Path, steps: int, pause: float) -> tuple[subprocess.Popen[str], str]:
    """A training script in a process of its own, and its session's id."""
    folder.mkdir(exist_ok=True)
    script = folder / "train.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, str(steps), str(pause)],
        env=clean_environment(folder, LW_API_KEY=server.api_key, LW_BASE_URL=server.url),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def arrived(server: Server, session: str) -> list[int]:
    [graph] = server.session(session)["graphs"]
    points = server.points(graph["id"])["train_loss"]
    assert points["y"] == [1 / (x + 1) for x in points["x"]]
    return points["x"]


@pytest.mark.full
def test_the_server_is_away_for_ten_seconds(servers: list[Server], tmp_path: Path) -> None:
    runs = [train(server, tmp_path / f"{n}", 440, 0.05) for n, server in enumerate(servers)]
    for server, (_, session) in zip(servers, runs, strict=True):
        eventually(lambda server=server, session=session: arrived(server, session))
    time.sleep(1)
    for server in servers:
        assert server.stop() == 0
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
        eventually(lambda server=server, session=session: len(arrived(server, session)) > 50)
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
