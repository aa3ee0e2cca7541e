"""What earlier runs left is sent by a later one, where it is theirs to send."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.delivery.pacing import Timing
from losswise.delivery.replay import Backfill
from losswise.journal.paths import Paths
from losswise.util.credentials import Target, store_login
from losswise.util.locks import FileLock
from losswise.util.paths import journal_folders
from tests.client.conftest import Script
from tests.client.fake_server import FakeServer
from tests.support.server import eventually


def leave(monkeypatch: pytest.MonkeyPatch, base_url: str, name: str) -> str:
    """A journal that a run without a server left behind."""
    monkeypatch.setenv("LW_MODE", "offline")
    with losswise.Session(name, track_git=False, base_url=base_url) as session:
        session.graph("loss").append(0, {name: 1.0})
    monkeypatch.delenv("LW_MODE")
    return session.id


def run(**options: str) -> None:
    session = losswise.Session("later", track_git=False, **options)  # type: ignore[arg-type]
    session.graph("loss").append(0, {"later": 1.0})
    session.done()


def test_a_later_run_sends_what_is_left_for_its_own_address(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = leave(monkeypatch, recorder.url, "left")
    capsys.readouterr()
    run()
    eventually(lambda: list(journals.iterdir()) == [])
    assert recorder.points("left") == [(0, 1.0)]
    replayed = [batch for batch in recorder.batches if batch["session"] == left]
    assert {batch["replay"] for batch in replayed} == {True}
    assert "left" not in capsys.readouterr().err  # nothing is said over the training


def test_it_goes_to_another_address_only_with_the_key_stored_for_it(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, third = FakeServer(), FakeServer()
    try:
        store_login(other.url, "the other's key")
        leave(monkeypatch, other.url, "other")
        leave(monkeypatch, third.url, "third")
        run()
        eventually(lambda: other.points("other"))
        time.sleep(0.3)
        assert {headers["Authorization"] for headers in other.headers} == {"Bearer the other's key"}
        assert third.batches == []
        assert len(list(journals.glob("*.journal"))) == 1
    finally:
        other.close()
        third.close()


def test_journals_of_another_host_and_of_running_scripts_are_left_alone(
    recorder: FakeServer, journals: Path, script: Callable[..., Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        import losswise
        session = losswise.Session("running", track_git=False)
        session.graph("loss").append(0, {"running": 1.0})
        session.flush(1.0)
        print("running", flush=True)
        input()
    """
    running = script(code, LW_JOURNAL_DIR=str(journals), LW_BASE_URL=recorder.url, LW_MODE="offline")
    running.until("running")
    [theirs] = journals.glob("*.journal")
    elsewhere = leave(monkeypatch, recorder.url, "elsewhere")
    [path] = journals.glob(f"*{elsewhere}*.journal")
    header, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(json.dumps({**json.loads(header), "host": "another"}).encode() + b"\n" + rest)
    locked: list[Path] = []
    acquire = FileLock.acquire
    monkeypatch.setattr(FileLock, "acquire", lambda lock: locked.append(lock.path) or acquire(lock))
    run()
    time.sleep(0.5)
    assert Paths(theirs).sending.path not in locked, "`status` would say that the script is sending it"
    assert recorder.points("running") == []
    assert recorder.points("elsewhere") == []
    assert len(list(journals.glob("*.journal"))) == 2


def test_a_journal_that_is_sent_and_deleted_meanwhile_is_not_sent_again(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(monkeypatch, recorder.url, "left")
    acquire = FileLock.acquire

    def late(lock: FileLock) -> bool:
        for path in journals.glob("*.journal"):
            path.unlink()
        return acquire(lock)

    monkeypatch.setattr(FileLock, "acquire", late)
    Backfill(Target(recorder.url, "k"), threading.Event()).send_all(journals)
    assert recorder.batches == []
    assert list(journals.iterdir()) == []


def test_a_killed_runs_journal_is_sent_by_the_next(
    recorder: FakeServer, journals: Path, script: Callable[..., Script]
) -> None:
    code = """
        import losswise
        session = losswise.Session("killed", track_git=False)
        for x in range(100):
            session.graph("loss").append(x, {"killed": float(x)})
        session.flush(1.0)
        print("ready", flush=True)
        input()
    """
    recorder.answer = lambda batch: (500, {"error": "down"}, {})
    killed = script(code, LW_JOURNAL_DIR=str(journals), LW_BASE_URL=recorder.url, LW_API_KEY="k")
    killed.until("ready")
    killed.process.kill()
    killed.wait()
    recorder.answer = lambda batch: None
    run()
    eventually(lambda: list(journals.iterdir()) == [])
    assert recorder.points("killed") == [(x, float(x)) for x in range(100)]


SHORT = """
    import losswise
    session = losswise.Session("short", track_git=False)
    session.graph("loss").append(0, {"short": 1.0})
"""
ENDINGS = {"by done": "    session.done()\n", "by its last line": ""}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_short_run_sends_something_too_and_leaves_no_file_of_it(
    recorder: FakeServer, journals: Path, script: Callable[..., Script], monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    def slowly(batch: dict[str, Any]) -> None:
        if batch["replay"]:
            time.sleep(0.4)  # the run ends in the middle of it

    recorder.answer = slowly
    for number in range(3):
        leave(monkeypatch, recorder.url, f"left{number}")
    began = time.monotonic()
    run = script(SHORT + ENDINGS[ending], LW_BASE_URL=recorder.url, LW_API_KEY="k")
    assert run.wait() == 0, run.errors
    assert time.monotonic() - began < 4.0
    sent = {batch["session"] for batch in recorder.batches if batch["replay"]}
    assert sent
    kept = {path.name.split("-")[2] for path in journals.iterdir()}
    assert len(kept) == 3 - len(sent)
    assert not kept & sent
    assert {path.suffix for path in journals.iterdir()} <= {".journal"}


def test_a_server_that_hangs_over_it_holds_no_run(
    recorder: FakeServer, journals: Path, script: Callable[..., Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.answer = lambda batch: "hang" if batch["replay"] else None
    leave(monkeypatch, recorder.url, "left")
    began = time.monotonic()
    run = script(SHORT, LW_BASE_URL=recorder.url, LW_API_KEY="k")
    assert run.wait() == 0, run.errors
    assert time.monotonic() - began < 5.0
    assert run.errors.count("\n") == 1
    assert len(list(journals.glob("*.journal"))) == 1


def test_between_two_requests_it_pauses_and_nowhere_else(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[float] = []

    def note(batch: dict[str, Any]) -> None:
        if batch["replay"]:
            came.append(time.monotonic())

    recorder.answer = note
    for name in ("one", "two"):
        leave(monkeypatch, recorder.url, name)
    backfill = Backfill(Target(recorder.url, "k"), threading.Event(), Timing(backfill_pause=2.0))
    begun = time.monotonic()
    backfill.send_all(journals)
    ended = time.monotonic()
    assert list(journals.iterdir()) == []
    first, second = came
    assert first - begun < 2.0
    assert second - first >= 2.0
    assert ended - second < 1.5


def test_what_lies_among_the_temporary_files_is_sent_too(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = journal_folders()[1]
    monkeypatch.setenv("LW_JOURNAL_DIR", str(temporary))
    leave(monkeypatch, recorder.url, "left")
    monkeypatch.setenv("LW_JOURNAL_DIR", str(journals))
    run()
    eventually(lambda: list(temporary.iterdir()) == [])
    assert recorder.points("left") == [(0, 1.0)]
