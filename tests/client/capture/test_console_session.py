"""A session keeps what its script prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from tests.client.conftest import Script, journal_records
from tests.client.fake_server import FakeServer
from tests.support.server import eventually


def console_text(records: list[dict[str, Any]]) -> str:
    return "".join(record["text"] for record in records if record["type"] == "text" and record["name"] == "console")


def printed(text: str) -> str:
    """A console's text without the messages of losswise itself."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("losswise: "))


def test_a_session_keeps_what_is_printed(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    print("printed")
    eventually(lambda: "printed\n" in printed(console_text(recorder.records("text"))))
    print("and the last")
    sys.stdout.write("unfinished")
    session.done()
    text = printed(console_text(recorder.records("text")))
    assert text == "printed\nand the last\nunfinished\n"
    print("after the end")
    assert printed(console_text(recorder.records("text"))) == text


def test_a_session_without_it_keeps_nothing(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, console=False)
    print("printed")
    session.done()
    assert recorder.records("text") == []


def test_a_script_that_fails_shows_its_traceback(script: Callable[..., Script], tmp_path: Path) -> None:
    run = script(
        """
        import sys, warnings
        import losswise
        from tqdm import tqdm
        session = losswise.Session(track_git=False)
        for step in tqdm(range(3), mininterval=0):
            session.log({"loss": 1.0})
        warnings.warn("beware")
        raise ValueError("it went wrong")
        """,
        LW_MODE="offline",
    )
    assert run.wait() == 1
    text = console_text(journal_records(tmp_path / "journals"))
    assert "100%|" in text
    assert text.count("it/s]") == 1
    assert "UserWarning: beware\n" in text
    assert text.endswith("ValueError: it went wrong\n")
    assert "ValueError: it went wrong" in run.errors


def test_lines_of_the_last_second_survive_sys_exit(script: Callable[..., Script], tmp_path: Path) -> None:
    run = script(
        """
        import sys
        import losswise
        session = losswise.Session(track_git=False)
        for number in range(100):
            print("line", number)
        sys.exit("that is all")
        """,
        LW_MODE="offline",
    )
    assert run.wait() == 1
    lines = console_text(journal_records(tmp_path / "journals")).splitlines()
    assert [line for line in lines if line.startswith("line ")] == [f"line {number}" for number in range(100)]
    assert run.output.splitlines() == [f"line {number}" for number in range(100)]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_a_killed_script_leaves_what_was_printed(script: Callable[..., Script], tmp_path: Path) -> None:
    run = script(
        """
        import os, signal, time
        import losswise
        session = losswise.Session(track_git=False)
        for number in range(20):
            print("line", number, flush=True)
            time.sleep(0.1)
        time.sleep(3)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        LW_MODE="offline",
    )
    run.wait()
    assert "line 19\n" in console_text(journal_records(tmp_path / "journals"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_what_was_printed_before_a_fork_is_the_parents(script: Callable[..., Script], tmp_path: Path) -> None:
    run = script(
        """
        import multiprocessing, os, sys
        import losswise
        session = losswise.Session(track_git=False)
        graph = session.graph("loss")
        def work():
            graph.append(1, {"child": 1.0})
            print("of the child", os.getpid() != parent)
        parent = os.getpid()
        print("of the parent")
        sys.stdout.write("unfinished")
        children = [multiprocessing.get_context("fork").Process(target=work) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        print()
        """,
        LW_MODE="offline",
    )
    assert run.wait() == 0, run.errors
    text = console_text(journal_records(tmp_path / "journals"))
    for part, count in (("of the parent\n", 1), ("unfinished", 1), ("of the child True\n", 2)):
        assert text.count(part) == count, text
