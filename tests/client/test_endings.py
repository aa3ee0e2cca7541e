"""Ends that are easily told wrong, or lose what is in memory: each a real process."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.arguments import described_error
from tests.client.conftest import Script, journal_records, points_of
from tests.client.recorder import Recorder

Start = Callable[..., Script]

START = """
    import os, signal, sys, threading, time
    import losswise
    session = losswise.Session("tag", 100, track_git=False, command_line=False)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
"""


@pytest.fixture
def environ(recorder: Recorder) -> dict[str, str]:
    return {"LW_BASE_URL": recorder.url, "LW_API_KEY": "k"}


def told(recorder: Recorder) -> tuple[str, str | None]:
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
def test_an_end_is_told_truthfully(recorder: Recorder, script: Start, environ: dict[str, str], end: str) -> None:
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
    recorder: Recorder, script: Start, environ: dict[str, str], tmp_path: Path, prompt: str
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
    recorder: Recorder, script: Start, environ: dict[str, str]
) -> None:
    run = script(START + "    import code; code.interact()\n    raise ValueError('too bad')\n", **environ)
    assert run.wait() == 1, run.errors
    assert told(recorder) == ("failed", "error")


def test_two_writers_of_one_session_in_one_process_are_both_ended(
    recorder: Recorder, script: Start, environ: dict[str, str]
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
    recorder: Recorder, script: Start, environ: dict[str, str], method: str, work: str
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


# what is kept


@pytest.mark.parametrize("end", ["session.done()", "with session: pass", ""])
def test_sigterm_in_the_middle_of_an_end_loses_nothing(script: Start, tmp_path: Path, end: str) -> None:
    code = (
        START
        + f"""
    for x in range(200_000):
        graph.append(x, {{"b": float(x)}})
    term = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGTERM))
    term.daemon = True
    term.start()
    {end}
"""
    )
    run = script(code)
    assert run.wait() == -signal.SIGTERM, run.errors
    records = journal_records(tmp_path / "journals")
    assert points_of(records, "b") == [(x, float(x)) for x in range(200_000)]
    assert records[-1]["type"] == "status"


def test_sigterm_while_the_end_is_sent_waits_for_a_server_that_takes_it(
    recorder: Recorder, script: Start, environ: dict[str, str]
) -> None:
    def slowly(batch: dict[str, Any]) -> None:
        time.sleep(1.0)

    recorder.answer = slowly
    code = (
        START
        + """
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    session.done()
"""
    )
    run = script(code, **environ)
    assert run.wait() == -signal.SIGTERM, run.errors
    assert told(recorder) == ("complete", None)


def test_ctrl_c_in_the_middle_of_done_loses_nothing(script: Start, tmp_path: Path) -> None:
    code = (
        START
        + """
    for x in range(200_000):
        graph.append(x, {"b": float(x)})
    threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)).start()
    session.done()
"""
    )
    run = script(code)
    assert run.wait() == -signal.SIGINT, run.errors
    records = journal_records(tmp_path / "journals")
    assert points_of(records, "b") == [(x, float(x)) for x in range(200_000)]
    assert records[-1]["status"] == "complete"


def test_a_session_whose_thread_goes_on_during_sigterm_stays_ended(script: Start, tmp_path: Path) -> None:
    code = (
        START
        + """
    def train():
        while True:
            graph.append(1, {"b": 1.0})
            time.sleep(0.001)
    threading.Thread(target=train, daemon=True).start()
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)
"""
    )
    run = script(code)
    assert run.wait() == -signal.SIGTERM, run.errors
    assert len(list((tmp_path / "journals").glob("*.journal"))) == 1
    assert journal_records(tmp_path / "journals")[-1]["status"] == "cancelled"


def test_sigterm_is_heard_where_the_first_session_was_made_in_a_thread(script: Start, tmp_path: Path) -> None:
    code = """
        import os, signal, threading, time
        import losswise
        thread = threading.Thread(target=losswise.Session, args=("in a thread",), kwargs={"track_git": False})
        thread.start()
        thread.join()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        session = losswise.Session("on the main one", track_git=False)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    """
    run = script(code)
    assert run.wait() == -signal.SIGTERM, run.errors
    ended = [record["status"] for record in journal_records(tmp_path / "journals") if record["type"] == "status"]
    assert ended == ["cancelled"] * 2


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_error_that_cannot_be_said_costs_its_words_only(script: Start, tmp_path: Path) -> None:
    code = (
        START
        + """
    import traceback
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no words")
    def broken(*args, **kwargs):
        raise RuntimeError("no lines")
    for x in range(50_000):
        graph.append(x, {"b": float(x)})
    traceback.format_exception = broken
    session.done("failed", "error", Mute())
"""
    )
    run = script(code)
    assert run.wait() == 0, run.errors
    assert "an error" not in run.errors
    records = journal_records(tmp_path / "journals")
    assert points_of(records, "b") == [(x, float(x)) for x in range(50_000)]
    assert records[-1]["error"] == {"type": "Mute", "message": "", "traceback": ""}


def test_as_much_as_an_error_says_is_kept() -> None:
    try:
        raise Mute
    except Mute as error:
        described = described_error(error)
    assert described is not None
    assert (described["type"], described["message"]) == ("Mute", "")
    assert "raise Mute" in described["traceback"]


@pytest.mark.parametrize("broken", ["status_record", "described_error"])
def test_what_fails_on_the_way_to_the_end_costs_no_point(script: Start, tmp_path: Path, broken: str) -> None:
    code = (
        START
        + f"""
    import losswise.session
    def fail(*args, **kwargs):
        raise RuntimeError("broken")
    for x in range(100_000):
        graph.append(x, {{"b": float(x)}})
    losswise.session.{broken} = fail
"""
    )
    run = script(code)
    assert run.wait() == 0, run.errors
    assert "an error while ending a session" in run.errors
    assert points_of(journal_records(tmp_path / "journals"), "b") == [(x, float(x)) for x in range(100_000)]


# how long it takes

IMAGES = """
    import os, signal, sys, time
    import losswise, losswise.pixels, PIL.Image
    png = losswise.pixels.Copied.png
    losswise.pixels.Copied.png = lambda self: (time.sleep(1.0), png(self))[1]  # a slow machine
    sessions = [losswise.Session(f"n{n}", track_git=False, command_line=False) for n in range(3)]
    for session in sessions:
        session.graph("loss").append(0, {"a": 0.0})
        session.flush(0.3)
        for number in range(30):
            session.image_sequence(0, "s").append(PIL.Image.new("L", (8, 8), number), str(number))
"""


def test_sigterm_leaves_so_many_seconds_for_images_and_sending_together(script: Start, tmp_path: Path) -> None:
    run = script(IMAGES + "    print('ready', flush=True); time.sleep(60)\n", LW_END_TIMEOUT="3")
    run.until("ready")
    begun = time.monotonic()
    run.process.send_signal(signal.SIGTERM)
    assert run.wait() == -signal.SIGTERM, run.errors
    assert time.monotonic() - begun < 3.5
    assert run.errors.count("were not encoded in time, and are lost") == 3
    records = journal_records(tmp_path / "journals")
    assert [record["status"] for record in records if record["type"] == "status"] == ["cancelled"] * 3


def test_the_images_of_several_sessions_are_waited_for_together(script: Start) -> None:
    run = script(IMAGES + "    print('ready', flush=True)\n")
    run.until("ready")
    begun = time.monotonic()
    assert run.wait(60) == 0, run.errors
    assert time.monotonic() - begun < 14.0
    assert run.errors.count("were not encoded in time, and are lost") == 3


# copies


def test_a_model_that_holds_a_session_can_be_copied(recorder: Recorder) -> None:
    with losswise.Session(track_git=False, console=False) as session:
        graph = session.graph("loss")
        model = {"session": session, "graph": graph}
        for copied in (copy.copy(model), copy.deepcopy(model)):
            assert copied["session"] is session
            assert copied["graph"] is graph
        assert copy.copy(session) is session
        assert copy.copy(graph) is graph
        for one in (session, graph):
            with pytest.raises(TypeError, match=r"losswise\.Session\(resume=id\)"):
                pickle.dumps(one)
