"""Ends in the middle of something: what is in memory is kept, and the end comes in time."""

from __future__ import annotations

import copy
import pickle
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.values.texts import describe_exception
from tests.client.conftest import Script, journal_records, points_of
from tests.client.fake_server import FakeServer
from tests.client.lifecycle.test_endings import START, environ, told

__all__ = ["environ"]  # a fixture

Start = Callable[..., Script]


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
    recorder: FakeServer, script: Start, environ: dict[str, str]
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
        described = describe_exception(error)
    assert described is not None
    assert (described["type"], described["message"]) == ("Mute", "")
    assert "raise Mute" in described["traceback"]


@pytest.mark.parametrize("broken", ["status_record", "describe_exception"])
def test_what_fails_on_the_way_to_the_end_costs_no_point(script: Start, tmp_path: Path, broken: str) -> None:
    code = (
        START
        + f"""
    from losswise.lifecycle import open_sessions
    def fail(*args, **kwargs):
        raise RuntimeError("broken")
    for x in range(100_000):
        graph.append(x, {{"b": float(x)}})
    open_sessions.{broken} = fail
"""
    )
    run = script(code)
    assert run.wait() == 0, run.errors
    assert "an error while ending a session" in run.errors
    assert points_of(journal_records(tmp_path / "journals"), "b") == [(x, float(x)) for x in range(100_000)]


# how long it takes

IMAGES = """
    import os, signal, sys, time
    import losswise, losswise.values.pixels, PIL.Image
    png = losswise.values.pixels.ImageCopy.png
    losswise.values.pixels.ImageCopy.png = lambda self: (time.sleep(1.0), png(self))[1]  # a slow machine
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


@pytest.mark.full
def test_the_images_of_several_sessions_are_waited_for_together(script: Start) -> None:
    run = script(IMAGES + "    print('ready', flush=True)\n")
    run.until("ready")
    begun = time.monotonic()
    assert run.wait(60) == 0, run.errors
    assert time.monotonic() - begun < 14.0
    assert run.errors.count("were not encoded in time, and are lost") == 3


# copies


def test_a_model_that_holds_a_session_can_be_copied(recorder: FakeServer) -> None:
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
