"""How scripts end, each a real process: nothing is missing, and the session says how it ended."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.conftest import Script, journal_records, points_of
from tests.client.fake_server import FakeServer

START = """
    import os, signal, sys, time
    import losswise
    session = losswise.Session("tag", 100, track_git=False, command_line=False)
    graph = session.graph("loss")
    for x in range(100):
        graph.append(x, {"a": float(x)})
"""
POINTS = [(x, float(x)) for x in range(100)]

ENDS = {
    "done": ("session.done()", 0, "complete", None),
    "atexit": ("", 0, "complete", None),
    "sys.exit(0)": ("sys.exit()", 0, "complete", None),
    "sys.exit(3)": ("sys.exit(3)", 3, "failed", "error"),
    "caught sys.exit": (
        "try:\n        sys.exit(3)\n    except SystemExit:\n        time.sleep(0.2); graph.append(0, {'b': 1.0})",
        0,
        "complete",
        None,
    ),
    "exception": ("raise ValueError('too bad')", 1, "failed", "error"),
    "with": ("with session:\n        raise ValueError('too bad')", 1, "failed", "error"),
    "Ctrl-C": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)", -signal.SIGINT, "cancelled", "interrupted"),
    "Ctrl-C in with": (
        "with session:\n        os.kill(os.getpid(), signal.SIGINT); time.sleep(5)",
        -signal.SIGINT,
        "cancelled",
        "interrupted",
    ),
    "SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(5)", -signal.SIGTERM, "cancelled", "interrupted"),
    "done as failed": ("session.done('failed', error=ValueError('x'))", 0, "failed", None),
}

Start = Callable[..., Script]


@pytest.fixture
def environ(recorder: FakeServer) -> dict[str, str]:
    return {"LW_BASE_URL": recorder.url, "LW_API_KEY": "k"}


@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_told_truthfully(
    recorder: FakeServer, script: Start, environ: dict[str, str], tmp_path: Path, end: str
) -> None:
    code, exit_status, status, reason = ENDS[end]
    run = script(START + "    " + code + "\n", **environ)
    assert run.wait() == exit_status, run.errors
    assert recorder.points("a") == POINTS
    told = recorder.records("status")[-1]
    assert (told["status"], told["reason"]) == (status, reason)
    assert list((tmp_path / "journals").iterdir()) == []
    if "ValueError" in code and "raise" in code:
        assert told["error"]["type"] == "ValueError"
        assert told["error"]["message"] == "too bad"
        assert "raise ValueError" in told["error"]["traceback"]
        assert "ValueError: too bad" in run.errors


def test_a_sigterm_handler_that_was_there_is_called(
    recorder: FakeServer, script: Start, environ: dict[str, str]
) -> None:
    code = """
        import os, signal, sys
        import losswise
        def handler(number, frame):
            print("the script's own handler")
            sys.exit(7)
        signal.signal(signal.SIGTERM, handler)
        session = losswise.Session(track_git=False)
        session.graph("loss").append(0, {"a": 1.0})
        os.kill(os.getpid(), signal.SIGTERM)
    """
    run = script(code, **environ)
    assert run.wait() == 7, run.errors
    assert "the script's own handler" in run.output
    assert recorder.records("status")[0]["status"] == "cancelled"


def test_a_killed_script_leaves_all_but_the_last_moment(
    recorder: FakeServer, script: Start, environ: dict[str, str], tmp_path: Path
) -> None:
    code = """
        import time
        import losswise
        session = losswise.Session(track_git=False, command_line=False)
        graph = session.graph("loss")
        print("ready", flush=True)
        while True:
            graph.append(0, {"t": time.time()})
            time.sleep(0.001)
    """
    run = script(code, **environ)
    run.until("ready")
    recorder.answer = lambda batch: (500, {"error": "down"}, {})
    time.sleep(1.0)
    killed_at = time.time()
    run.process.kill()
    run.wait()
    in_journal = points_of(journal_records(tmp_path / "journals"), "t")
    assert killed_at - in_journal[-1][1] < 0.2


def test_with_no_server_a_script_ends_soon_and_with_its_own_status(script: Start, tmp_path: Path) -> None:
    begun = time.monotonic()
    run = script(START + "    sys.exit(5)\n", LW_BASE_URL="http://127.0.0.1:9", LW_API_KEY="k")
    assert run.wait() == 5
    assert time.monotonic() - begun < 8.0
    assert "losswise sync" in run.errors
    assert "Traceback" not in run.errors
    assert points_of(journal_records(tmp_path / "journals"), "a") == POINTS


def test_without_a_key_a_session_is_kept_and_one_line_says_how_to_send_it(script: Start, tmp_path: Path) -> None:
    run = script(START)
    assert run.wait() == 0
    lines = [line for line in run.errors.splitlines() if line.startswith("losswise:")]
    assert len(lines) == 1
    assert "losswise login" in lines[0]
    assert "losswise sync" in lines[0]
    assert points_of(journal_records(tmp_path / "journals"), "a") == POINTS


def test_a_folder_that_cannot_be_written_is_one_warning(script: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    run = script(START, LW_JOURNAL_DIR=str(tmp_path / "file"), LW_API_KEY="k", LW_BASE_URL="http://127.0.0.1:9")
    assert run.wait() == 0
    assert run.errors.count("no journal can be written") == 1
    assert "Traceback" not in run.errors


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_sends_its_own_points_and_not_its_parents(
    recorder: FakeServer, script: Start, environ: dict[str, str]
) -> None:
    code = """
        import multiprocessing, os, time
        import losswise
        session = losswise.Session(track_git=False, command_line=False)
        graph = session.graph("loss")

        def work(number):
            for x in range(50):
                graph.append(x, {f"child{number}": float(x)})

        context = multiprocessing.get_context("fork")
        for x in range(2_000):
            graph.append(x, {"parent": float(x)})
            if x in (500, 1_000):
                quiet = os.fork()
                if not quiet:
                    time.sleep(0.3)
                    os._exit(0)
        children = [context.Process(target=work, args=(number,)) for number in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        graph.append(2_000, {"parent": 2_000.0})
    """
    run = script(code, **environ)
    assert run.wait() == 0, run.errors
    assert recorder.points("parent") == [(x, float(x)) for x in range(2_001)]
    for child in ("child0", "child1"):
        assert recorder.points(child) == [(x, float(x)) for x in range(50)]
    assert len(recorder.applied) == 1
    assert run.errors.count("watching at") == 1


def test_spawned_processes_share_a_session(recorder: FakeServer, script: Start, environ: dict[str, str]) -> None:
    code = """
        import multiprocessing
        import losswise

        def work(session_id, number):
            session = losswise.Session(resume=session_id, track_git=False)
            session.graph("loss").append(number, {"a": float(number)})

        if __name__ == "__main__":
            session = losswise.Session("shared", track_git=False)
            context = multiprocessing.get_context("spawn")
            children = [context.Process(target=work, args=(session.id, number)) for number in range(2)]
            for child in children:
                child.start()
            for child in children:
                child.join()
            session.done()
    """
    run = script(code, **environ)
    assert run.wait() == 0, run.errors
    assert sorted(recorder.points("a")) == [(0, 0.0), (1, 1.0)]
    assert len(recorder.applied) == 1
    assert len(recorder.records("status")) == 3


def test_importing_losswise_imports_nothing_and_starts_no_thread(script: Start) -> None:
    code = """
        import sys, threading
        import losswise
        loaded = {"requests", "urllib3", "numpy", "torch", "keras", "socket", "json"} & set(sys.modules)
        assert not loaded, loaded
        assert threading.active_count() == 1
        assert "Session" in dir(losswise)
        losswise.set_api_key("k")
        losswise.Session
        assert "requests" not in sys.modules
        assert threading.active_count() == 1
    """
    run = script(code)
    assert run.wait() == 0, run.errors


def test_finalizers_run_after_the_sessions_have_ended(script: Start) -> None:
    """While they run, no thread of ours makes one: Python would print a traceback."""
    code = """
        import weakref
        import losswise
        from losswise.lifecycle import open_sessions
        class Thing:
            pass
        thing = Thing()
        session = losswise.Session("run", track_git=False, command_line=False)
        weakref.finalize(thing, lambda: print(len(open_sessions._state.sessions), "open"))
    """
    run = script(code, LW_MODE="offline")
    assert run.wait() == 0, run.errors
    assert run.output == "0 open\n"
