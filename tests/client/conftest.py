"""Fixtures of the client's tests: nothing configured, nothing said before, journals in a folder of the test."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise import settings
from losswise.delivery import replay
from losswise.util import messages
from tests.client.fake_server import FakeServer
from tests.support.server import API_KEY, clean_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def fresh_client(clean_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_set", {})
    monkeypatch.setattr(messages, "_said", set())
    monkeypatch.setattr(replay, "_threads", [])


@pytest.fixture
def journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that journals go to."""
    folder = tmp_path / "journals"
    monkeypatch.setenv("LW_JOURNAL_DIR", str(folder))
    return folder


@pytest.fixture
def recorder(journals: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A server whose answers the test controls; sessions go to it."""
    recorder = FakeServer()
    monkeypatch.setenv("LW_BASE_URL", recorder.url)
    monkeypatch.setenv("LW_API_KEY", API_KEY)
    yield recorder
    recorder.close()


class Script:
    """A running Python script; `stop` and `wait` give its exit status, `errors` what it wrote to stderr."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.output = self.errors = ""

    def wait(self, timeout: float = 30.0) -> int:
        output, self.errors = self.process.communicate(timeout=timeout)
        self.output += output
        return self.process.returncode

    def until(self, text: str) -> None:
        """Read stdout up to the line `text`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if line.strip() == text:
                return
        raise AssertionError(f"{text!r} was not printed; stderr: {self.process.communicate()[1]}")


@pytest.fixture
def script(tmp_path: Path, clean_home: Path) -> Iterator[Callable[..., Script]]:
    """Starts Python code as a script of its own: script(code, NAME=value of the environment)."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, **environ: str) -> Script:
        path = tmp_path / f"script{len(started)}.py"
        path.write_text(textwrap.dedent(code), encoding="utf-8")
        passed = {"LW_JOURNAL_DIR": str(tmp_path / "journals"), "PYTHONPATH": str(ROOT), **environ}
        process = subprocess.Popen(
            [sys.executable, str(path)],
            env=clean_environment(clean_home, **passed),
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return Script(process)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def start_offline(monkeypatch: pytest.MonkeyPatch, **options: Any) -> losswise.Session:
    """Start a session that is kept on the disk only."""
    monkeypatch.setenv("LW_MODE", "offline")
    session = losswise.Session(track_git=False, console=False, **options)
    monkeypatch.delenv("LW_MODE")
    return session


def record_offline(monkeypatch: pytest.MonkeyPatch, count: int = 100, **options: Any) -> losswise.Session:
    """A session that ended and was only kept: graph 'loss', name 'a', x from 0, y the same."""
    monkeypatch.setenv("LW_MODE", "offline")
    with losswise.Session("offline", 100, track_git=False, **options) as session:
        for x in range(count):
            session.graph("loss").append(x, {"a": float(x)})
    monkeypatch.delenv("LW_MODE")
    return session


def journal_records(folder: Path) -> list[dict[str, Any]]:
    """All records in a folder's journals, without headers, oldest journal first."""
    records = []
    for path in sorted(folder.glob("*.journal")):
        records += [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return records


def points_of(records: list[dict[str, Any]], name: str) -> list[tuple[int, Any]]:
    """x and value of all points of this name, in the records' order."""
    return [
        (x, value)
        for record in records
        if record["type"] == "points" and name in record["y"]
        for x, value in zip(record["x"], record["y"][name], strict=True)
        if value is not None
    ]
