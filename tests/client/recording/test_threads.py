"""Threads: of callers, of our own, and where none can be started."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from losswise.recording import graph_buffer, journal_writer, point_buffer
from tests.client.conftest import Script, journal_records, points_of, start_offline
from tests.support.server import eventually


@pytest.fixture
def busy_switching() -> Iterator[None]:
    """Threads take turns a thousand times as often, so that what can meet does meet."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def test_two_threads_that_open_the_same_names_at_once_lose_nothing(
    journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start_offline(monkeypatch)
    graph = session.graph("loss")
    made = point_buffer.PointBuffer

    class Slow(made):  # type: ignore[misc,valid-type]
        def __init__(self, names: tuple[str, ...]) -> None:
            super().__init__(names)
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.2)  # meanwhile the main thread fills its own

    monkeypatch.setattr(graph_buffer, "PointBuffer", Slow)
    late = threading.Thread(target=graph.append, args=(0, {"a": -1.0}))
    late.start()
    time.sleep(0.05)
    for x in range(1, 101):
        graph.append(x, {"a": float(x)})
    late.join()
    session.done()
    assert sorted(x for x, _ in points_of(journal_records(journals), "a")) == list(range(101))


def test_threads_of_one_graph_lose_nothing_and_stay_in_order(
    journals: Path, monkeypatch: pytest.MonkeyPatch, busy_switching: None
) -> None:
    session = start_offline(monkeypatch)
    graph = session.graph("loss")

    def work(number: int) -> None:
        for x in range(20_000):
            graph.append(x, {"both" if x % 3 else f"own{number}": float(number * 1_000_000 + x)})
            if x % 500 == 0:
                time.sleep(0.001)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.done()
    in_order: dict[int, list[int]] = {number: [] for number in range(4)}
    for record in journal_records(journals):
        if record["type"] != "points":
            continue
        for place, x in enumerate(record["x"]):
            values = [column[place] for column in record["y"].values() if column[place] is not None]
            assert len(values) == 1
            in_order[int(values[0]) // 1_000_000].append(x)
    assert in_order == {number: list(range(20_000)) for number in range(4)}


@pytest.mark.parametrize("how", ["graph.append(x, values)", "session.log(values, x)"])
def test_without_the_interpreter_lock_threads_lose_nothing_and_stay_in_order(
    script: Callable[..., Script], tmp_path: Path, how: str
) -> None:
    """Free-threaded Python, as far as another build can show it: no point goes through a buffer that is swapped."""
    code = f"""
        import sys, threading
        sys._is_gil_enabled = lambda: False
        import losswise
        from losswise.recording.point_buffer import PointBuffer

        def refuse(self, *args):
            raise AssertionError("a buffer was opened")
        PointBuffer.__init__ = refuse
        session = losswise.Session(track_git=False, console=False)
        graph = session.graph("loss")

        def work(number):
            for x in range(2_000):
                values = {{f"loss {{number}}": float(x)}}
                {how}

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        session.done()
    """
    run = script(code, LW_MODE="offline")
    assert run.wait() == 0, run.errors
    records = journal_records(tmp_path / "journals")
    for number in range(4):
        assert points_of(records, f"loss {number}") == [(x, float(x)) for x in range(2_000)]


def test_a_caller_interrupted_before_it_wakes_the_journal_writer(
    journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-C in a notebook: the point is written all the same."""
    session = start_offline(monkeypatch)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
    time.sleep(0.3)
    monkeypatch.setattr(journal_writer.JournalWriter, "wake", lambda self, urgent=False: None)
    graph.append(1, {"a": 1.0})
    eventually(lambda: len(points_of(journal_records(journals), "a")) == 2, timeout=5.0)
    monkeypatch.undo()
    session.done()


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch, journals: Path, capsys: Any) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    session = start_offline(monkeypatch)
    for x in range(1_000):
        session.graph("loss").append(x, {"a": 1.0})
    monkeypatch.undo()
    session.graph("loss").append(1_000, {"a": 1.0})
    session.done()
    assert capsys.readouterr().err.count("no thread can be started") == 1
    assert list(journals.glob("*")) == []
