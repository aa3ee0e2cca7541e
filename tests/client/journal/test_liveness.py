"""Whether a journal's writer is alive: its lock says so, and its heartbeat where no lock can be seen."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from losswise.cli import main
from losswise.journal.format import Header
from losswise.journal.paths import Paths, find, is_alive
from losswise.journal.reader import JournalReader
from losswise.journal.writer import Journal
from losswise.protocol.records import new_id
from losswise.util import locks
from tests.client.conftest import Script
from tests.client.fake_server import FakeServer

DATA = Path(__file__).parent / "data"
"""A killed script's journal, as the version before wrote it."""

RECORDING = """
    import losswise
    session = losswise.Session(track_git=False)
    session.graph("loss").append(0, {"a": 1.0})
    session.flush(1.0)
    print("ready", flush=True)
    input()
"""


def make(folder: Path, host: str = "") -> Journal:
    header = Header.of_this_process(new_id(), new_id(), "http://127.0.0.1:9")
    return Journal(folder, Header(header.session, header.writer, header.base_url, host or header.host))


def set_heartbeat(journal: Journal, seconds_ago: float) -> None:
    at = time.time() - seconds_ago
    os.utime(journal.paths.alive.path, (at, at))


def test_the_lock_decides_where_there_are_locks(
    journals: Path, script: Callable[..., Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = script(RECORDING, LW_MODE="offline", LW_JOURNAL_DIR=str(journals))
    running.until("ready")
    [path] = find(journals)
    paths, header = Paths(path), JournalReader(path).header
    os.utime(paths.alive.path, (0, 0))
    assert is_alive(paths, header)
    running.process.kill()
    running.wait()
    os.utime(paths.alive.path)
    assert not is_alive(paths, header)


def test_of_this_process_too(tmp_path: Path) -> None:
    journal = make(tmp_path)
    assert is_alive(journal.paths, journal.header)
    assert is_alive(Paths(journal.path), journal.header)
    journal.finish()
    assert not is_alive(journal.paths, journal.header)


def test_on_another_host_the_heartbeat_decides(tmp_path: Path) -> None:
    journal = make(tmp_path, host="another")
    journal.paths.alive.release()
    assert is_alive(journal.paths, journal.header)
    set_heartbeat(journal, 3_600)
    assert not is_alive(journal.paths, journal.header)
    journal.heartbeat()
    assert is_alive(journal.paths, journal.header)
    journal.paths.alive.path.unlink()
    assert not is_alive(journal.paths, journal.header)


def test_without_locks_the_heartbeat_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network file systems: every process that asks gets the lock."""
    monkeypatch.setattr(locks, "_lock", lambda descriptor: None)
    journal = make(tmp_path)
    journal.paths.alive.release()  # what another process sees
    set_heartbeat(journal, 300)
    assert is_alive(journal.paths, journal.header)
    set_heartbeat(journal, 3_600)
    assert not is_alive(journal.paths, journal.header)


def test_a_journal_of_the_version_before_is_synced(recorder: FakeServer, journals: Path) -> None:
    shutil.copytree(DATA, journals)
    [path] = find(journals)
    assert b'"boot": ' in path.read_bytes().splitlines()[0]
    assert main(["status"]) == 0
    assert main(["sync"]) == 0
    assert recorder.points("a") == [(x, float(x)) for x in range(40)]
    assert recorder.records("session")[0]["tag"] == "before"
    assert [record["reason"] for record in recorder.records("status")] == ["silent"]
    assert list(journals.iterdir()) == []
