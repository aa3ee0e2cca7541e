"""How long an end waits: as long as the server acknowledges, and no longer than that has sense."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import losswise
from tests.client.conftest import Script, journal_records, points_of
from tests.client.fake_server import FakeServer

Start = Callable[..., Script]

SESSIONS = """
    import os, signal, sys, threading, time
    import losswise
    sessions = [losswise.Session(f"n{n}", track_git=False, command_line=False) for n in range(5)]
    for n, session in enumerate(sessions):
        for x in range(100):
            session.graph("loss").append(x, {f"a{n}": float(x)})
"""


@pytest.fixture
def environ(recorder: FakeServer) -> dict[str, str]:
    return {"LW_BASE_URL": recorder.url, "LW_API_KEY": "k", "LW_END_TIMEOUT": "2"}


SIZE = r"\d+(\.\d+)? (bytes|KiB|MiB)"


def in_journals(folder: Path) -> list[int]:
    """How many points of each of the sessions are kept."""
    records = journal_records(folder)
    return [len(points_of(records, f"a{n}")) for n in range(5)]


def test_a_server_that_never_answers_holds_no_script_however_many_its_sessions(
    recorder: FakeServer, script: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    recorder.answer = lambda batch: "hang"
    begun = time.monotonic()
    run = script(SESSIONS, **environ)
    assert run.wait() == 0, run.errors
    assert time.monotonic() - begun < 8.0
    assert in_journals(tmp_path / "journals") == [100] * 5
    [line] = [line for line in run.errors.splitlines() if "not sent yet" in line]
    folder = tmp_path / "journals"
    kept = rf"they are kept in {folder}, and `losswise sync {folder}` sends them"
    silent = rf"{recorder.url} does not answer"
    assert re.fullmatch(rf"losswise: {silent}; 5 sessions: {SIZE} are not sent yet; {kept}", line)
    assert run.errors.count("does not answer") == 1


def test_sigterm_leaves_so_many_seconds_in_all(
    recorder: FakeServer, script: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    recorder.answer = lambda batch: (503, {"error": "full"}, {"Retry-After": "60"})
    run = script(SESSIONS + "    print('ready', flush=True); time.sleep(30)\n", **environ)
    run.until("ready")
    time.sleep(0.5)
    begun = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    assert run.wait() == -signal.SIGTERM, run.errors
    assert time.monotonic() - begun < 5.0
    assert in_journals(tmp_path / "journals") == [100] * 5
    ended = [record for record in journal_records(tmp_path / "journals") if record["type"] == "status"]
    assert [record["status"] for record in ended] == ["cancelled"] * 5


@pytest.mark.full
def test_a_slow_server_gets_all_the_time_it_needs(recorder: FakeServer, script: Start, environ: dict[str, str]) -> None:
    def slowly(batch: dict[str, object]) -> tuple[int, dict[str, object], dict[str, str]] | None:
        records = batch["records"]
        if isinstance(records, list) and len(records) > 3:
            return 413, {"error": "too large"}, {}
        time.sleep(0.5)
        return None

    recorder.answer = slowly
    code = """
        import losswise
        session = losswise.Session(track_git=False, console=False)
        for number in range(20):
            session.text(f"text {number}", "x")
    """
    begun = time.monotonic()
    run = script(code, **{**environ, "LW_END_TIMEOUT": "2.5"})
    assert run.wait(60) == 0, run.errors
    assert time.monotonic() - begun > 3.0  # longer than it waits for a server that says nothing
    assert len(recorder.records("text")) == 20
    assert re.search(rf"losswise: sending what is left: {SIZE} of session [0-9a-f]{{20}}\n", run.errors)


@pytest.mark.full
def test_what_the_server_asks_to_wait_is_waited_at_the_end_too(recorder: FakeServer) -> None:
    recorder.answer = lambda batch: (429, {"error": "slowly"}, {"Retry-After": "1.5"}) if recorder.batches[1:] else None
    session = losswise.Session(track_git=False, console=False)
    session.flush()
    recorder.batches.clear()
    recorder.answer = lambda batch: (
        (429, {"error": "slowly"}, {"Retry-After": "1.5"}) if len(recorder.batches) == 1 else None
    )
    session.graph("loss").append(0, {"a": 1.0})
    begun = time.monotonic()
    session.done()
    assert time.monotonic() - begun > 1.0
    assert len(recorder.batches) <= 3
    assert recorder.points("a") == [(0, 1.0)]


def test_done_can_be_told_not_to_wait(recorder: FakeServer, journals: Path) -> None:
    recorder.answer = lambda batch: "hang"
    session = losswise.Session(track_git=False)
    session.graph("loss").append(0, {"a": 1.0})
    begun = time.monotonic()
    session.done(timeout=0.0)
    assert time.monotonic() - begun < 1.0
    assert points_of(journal_records(journals), "a") == [(0, 1.0)]


def test_what_is_left_is_told_as_the_session_and_the_size_that_the_server_does_not_have(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = losswise.Session(track_git=False, console=False)
    for x in range(100_000):
        session.graph("loss").append(x, {"a": x / 3})
    assert session.flush(20.0)
    recorder.answer = lambda batch: "drop"
    session.graph("loss").append(100_000, {"a": 1.0})
    session.done(timeout=0.5)
    [line] = [line for line in capsys.readouterr().err.splitlines() if "not sent yet" in line]
    found = re.fullmatch(
        rf"losswise: session {session.id}: (\d+) bytes are not sent yet; "
        rf"they are kept in {journals}, and `losswise sync {journals}` sends them",
        line,
    )
    assert found
    assert 50 < int(found[1]) < 1_000
    assert sum(path.stat().st_size for path in journals.glob("*.journal")) > 1_000_000


@pytest.mark.parametrize("way", ["no server", "the key is refused"])
def test_a_flush_that_is_hopeless_ends_soon(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "no server":
        monkeypatch.setenv("LW_BASE_URL", "http://127.0.0.1:9")
    recorder.answer = lambda batch: (401, {"error": "no such key"}, {})
    session = losswise.Session(track_git=False)
    session.graph("loss").append(0, {"a": 1.0})
    for _ in range(2):
        begun = time.monotonic()
        assert session.flush(20.0) is False
        assert 1.5 < time.monotonic() - begun < 3.5
    assert points_of(journal_records(journals), "a") == [(0, 1.0)]
    session.done(timeout=0.0)


def test_a_flush_finds_that_the_key_is_accepted_by_now(recorder: FakeServer) -> None:
    recorder.answer = lambda batch: (401, {"error": "no such key"}, {})
    session = losswise.Session(track_git=False)
    session.graph("loss").append(0, {"a": 1.0})
    assert session.flush(20.0) is False
    recorder.answer = lambda batch: None
    assert session.flush(20.0) is True
    assert recorder.points("a") == [(0, 1.0)]
    session.done()


def test_a_flush_waits_for_a_server_that_is_slow(recorder: FakeServer) -> None:
    def slowly(batch: dict[str, object]) -> None:
        time.sleep(3.0)

    recorder.answer = slowly
    session = losswise.Session(track_git=False)
    session.graph("loss").append(0, {"a": 1.0})
    assert session.flush(20.0) is True
    recorder.answer = lambda batch: None
    session.done()


def test_an_interpreter_that_shuts_down_in_the_middle_of_sending_loses_nothing(
    recorder: FakeServer, script: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    code = """
        import threading, time
        import losswise
        session = losswise.Session(track_git=False)
        graph = session.graph("loss")

        def go_on():
            while True:  # a thread that still appends while the interpreter goes down
                graph.append(0, {"b": 1.0})

        threading.Thread(target=go_on, daemon=True).start()
        for x in range(100_000):
            graph.append(x, {"a": float(x)})
    """
    run = script(code, **environ)
    assert run.wait(60) == 0, run.errors
    assert "Traceback" not in run.errors
    assert "Fatal" not in run.errors
    assert [x for x, _ in recorder.points("a")] == list(range(100_000))


def test_a_session_that_begins_at_the_very_end(recorder: FakeServer, script: Start, environ: dict[str, str]) -> None:
    code = """
        import atexit
        import losswise

        @atexit.register
        def late():
            with losswise.Session("late", track_git=False) as session:
                session.graph("loss").append(0, {"a": 1.0})
    """
    run = script(code, **environ)
    assert run.wait() == 0, run.errors
    assert "Traceback" not in run.errors
    assert recorder.points("a") == [(0, 1.0)]


def test_ctrl_c_ends_the_waiting_and_says_what_is_kept(
    recorder: FakeServer, script: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    recorder.answer = lambda batch: "hang"
    code = SESSIONS + "    print('ready', flush=True)\n    session.done()\n"
    run = script(code, **{**environ, "LW_END_TIMEOUT": "30"})
    run.until("ready")
    time.sleep(1.0)
    begun = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    threading.Timer(1.5, run.process.send_signal, (signal.SIGINT,)).start()
    assert run.wait() == -signal.SIGINT, run.errors
    assert time.monotonic() - begun < 10.0
    assert "losswise sync" in run.errors
    assert in_journals(tmp_path / "journals") == [100] * 5


LOOP = """
    import sys, time
    import losswise
    other = losswise.Session("other", track_git=False, command_line=False)
    other.log({"b": 1.0})
    with losswise.Session("tag", track_git=False, command_line=False) as session:
        session.log({"a": 1.0})
        print('ready', flush=True)
        time.sleep(60)
"""
FINALLY = """
    import sys, time
    import losswise
    session = losswise.Session("tag", track_git=False, command_line=False)
    try:
        session.log({"a": 1.0})
        print('ready', flush=True)
        time.sleep(60)
    finally:
        session.done("cancelled")
"""
BARE = """
    import sys, time
    import losswise
    session = losswise.Session("tag", track_git=False, command_line=False)
    session.log({"a": 1.0})
    print('ready', flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("code", [LOOP, FINALLY, BARE], ids=["with", "finally", "at exit"])
def test_a_second_ctrl_c_ends_the_script_at_once(
    recorder: FakeServer, script: Start, environ: dict[str, str], tmp_path: Path, code: str
) -> None:
    recorder.answer = lambda batch: "hang"
    run = script(code, **{**environ, "LW_END_TIMEOUT": "30"})
    run.until("ready")
    time.sleep(0.5)
    run.process.send_signal(signal.SIGINT)
    time.sleep(1.5)
    begun = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == -signal.SIGINT, run.errors
    assert time.monotonic() - begun < 3.0
    assert "losswise/" not in run.errors.replace(str(tmp_path), ""), run.errors
    assert run.errors.count("Traceback") == 1, run.errors
    records = journal_records(tmp_path / "journals")
    assert points_of(records, "a") == [(0, 1.0)]
    assert {record["status"] for record in records if record["type"] == "status"} == {"cancelled"}
    assert run.errors.count("not sent yet; they are kept in") == code.count("losswise.Session("), run.errors


@pytest.mark.full
def test_a_long_wait_for_a_silent_server_says_so(recorder: FakeServer, script: Start, environ: dict[str, str]) -> None:
    recorder.answer = lambda batch: "hang"
    run = script(SESSIONS, **{**environ, "LW_END_TIMEOUT": "14"})
    assert run.wait() == 0, run.errors
    assert f"{recorder.url} does not answer yet; everything is kept and sent later" in run.errors
