"""Ends that are easily told wrong, or lose what is in memory: each a real process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.conftest import Script
from tests.client.fake_server import FakeServer

Start = Callable[..., Script]

START = """
    import os, signal, sys, threading, time
    import losswise
    session = losswise.Session("tag", 100, track_git=False, command_line=False)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
"""


@pytest.fixture
def environ(recorder: FakeServer) -> dict[str, str]:
    return {"LW_BASE_URL": recorder.url, "LW_API_KEY": "k"}


def told(recorder: FakeServer) -> tuple[str, str | None]:
    """Status and reason of the last end."""
    record = recorder.records("status")[-1]
    return record["status"], record["reason"]


# what is told

ENDS = {
    "a hook that does not chain": (
        "sys.excepthook = lambda *a: None\n    raise ValueError('too bad')",
        1,
        ("failed", "error"),
    ),
    "Ctrl-C with such a hook": (
        "sys.excepthook = lambda *a: None\n    os.kill(os.getpid(), signal.SIGINT); time.sleep(5)",
        -signal.SIGINT,
        ("cancelled", "interrupted"),
    ),
    "rich": (
        "import rich.traceback; rich.traceback.install()\n    raise ValueError('too bad')",
        1,
        ("failed", "error"),
    ),
    "an error that was caught and shown": (
        "try:\n        raise ValueError('too bad')\n    except ValueError:\n        sys.excepthook(*sys.exc_info())",
        0,
        ("complete", None),
    ),
    "an error in a thread, shown by the same hook": (
        "threading.excepthook = lambda args: sys.excepthook(*args[:3])\n"
        "    thread = threading.Thread(target=int, args=('x',)); thread.start(); thread.join()",
        0,
        ("complete", None),
    ),
    "an error while a thread goes on": (
        "threading.Thread(target=lambda: [(time.sleep(0.1), graph.append(1, {'b': 1.0})) for _ in range(5)]).start()\n"
        "    raise ValueError('too bad')",
        1,
        ("failed", "error"),
    ),
    "sys.exit in a thread": (
        "thread = threading.Thread(target=sys.exit, args=(1,)); thread.start(); thread.join()",
        0,
        ("complete", None),
    ),
    "exit(3)": ("exit(3)", 3, ("failed", "error")),
    "quit(3)": ("quit(3)", 3, ("failed", "error")),
    "exit()": ("exit()", 0, ("complete", None)),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_end_is_told_truthfully(recorder: FakeServer, script: Start, environ: dict[str, str], end: str) -> None:
    code, exit_status, status = ENDS[end]
    run = script(START + "    " + code + "\n", **environ)
    assert run.wait() == exit_status, run.errors
    assert told(recorder) == status
    if exit_status == 1:
        assert "raise ValueError('too bad')" in recorder.records("status")[-1]["error"]["traceback"]


PROMPTS = {
    "an error that was typed": ("", "raise ValueError\n", 0, "complete"),
    "a script that fails, and the prompt after it": (
        "raise ValueError",
        "graph.append(1, {'a': 1.0})\n",
        0,
        "complete",
    ),
    "a script that exits, then the prompt": ("sys.exit(3)", "", 0, "complete"),
    "an exit that was typed": ("raise ValueError", "exit(3)\n", 3, "failed"),
}


@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_interpreter_that_goes_on_has_not_failed(
    recorder: FakeServer, script: Start, environ: dict[str, str], tmp_path: Path, prompt: str
) -> None:
    code, typed, exit_status, status = PROMPTS[prompt]
    start = START.replace("\n    ", "\n")
    (tmp_path / "inner.py").write_text(start + code + "\n")
    run = script("import os, sys\nos.execv(sys.executable, [sys.executable, '-i', 'inner.py'])\n", **environ)
    assert run.process.stdin is not None
    run.process.stdin.write(typed)
    assert run.wait() == exit_status, run.errors
    assert told(recorder)[0] == status


def test_a_script_that_fails_after_a_prompt_within_it_has_failed(
    recorder: FakeServer, script: Start, environ: dict[str, str]
) -> None:
    run = script(START + "    import code; code.interact()\n    raise ValueError('too bad')\n", **environ)
    assert run.wait() == 1, run.errors
    assert told(recorder) == ("failed", "error")


def test_two_writers_of_one_session_in_one_process_are_both_ended(
    recorder: FakeServer, script: Start, environ: dict[str, str]
) -> None:
    code = """
        import os
        import losswise
        first = losswise.Session(track_git=False, command_line=False, console=False)
        second = losswise.Session(resume=first.id, track_git=False, command_line=False, console=False)
        for x in range(20_000):  # more than what is written by the fork
            first.graph("loss").append(x, {"first": float(x)})
            second.graph("loss").append(x, {"second": float(x)})
        child = os.fork()
        name = "parent" if child else "child"
        first.graph("loss").append(0, {"first in " + name: 0.0})
        second.graph("loss").append(0, {"second in " + name: 0.0})
        if child:
            os.waitpid(child, 0)
    """
    run = script(code, **environ)
    assert run.wait() == 0, run.errors
    for name in ("first", "second"):
        assert recorder.points(name) == [(x, float(x)) for x in range(20_000)]
        assert recorder.points(f"{name} in child") == recorder.points(f"{name} in parent") == [(0, 0.0)]
    assert [record["status"] for record in recorder.records("status")] == ["complete"] * 4


WORKS = {
    "an exception": ("raise ValueError('too bad')", 1, ("failed", "error")),
    "an end": ("pass", 0, ("complete", None)),
    "SystemExit(0)": ("raise SystemExit(0)", 0, ("complete", None)),
    "SystemExit(3)": ("raise SystemExit(3)", 3, ("failed", "error")),
    "a sys.exit that was caught": ("try: sys.exit(3)\n    except SystemExit: pass", 0, ("complete", None)),
}


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize(
    "method", ["spawn", pytest.param("fork", marks=pytest.mark.skipif(os.name == "nt", reason=""))]
)
def test_the_end_of_a_worker_is_told_truthfully(
    recorder: FakeServer, script: Start, environ: dict[str, str], method: str, work: str
) -> None:
    code, exit_status, status = WORKS[work]
    start = f"""
import multiprocessing, sys
import losswise

def work(session_id):
    session = losswise.Session(resume=session_id, track_git=False, command_line=False, console=False)
    session.graph("loss").append(0, {{"a": 0.0}})
    {code}

if __name__ == "__main__":
    try:
        raise KeyError("what the parent was handling")
    except KeyError:
        child = multiprocessing.get_context("{method}").Process(target=work, args=("{"0a" * 10}",))
        child.start()
    child.join()
    assert child.exitcode == {exit_status}, child.exitcode
"""
    recorder.applied["0a" * 10] = []
    run = script(start, **environ)
    assert run.wait() == 0, run.errors
    assert recorder.points("a") == [(0, 0.0)]
    assert [(record["status"], record["reason"]) for record in recorder.records("status")] == [status]
    if exit_status == 1:
        error = recorder.records("status")[0]["error"]
        assert (error["type"], error["message"]) == ("ValueError", "too bad")
        assert "in work" in error["traceback"]
