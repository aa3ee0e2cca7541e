"""What is in memory stays bounded, and none of it is forgotten at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import losswise
from losswise.journal.writer import Journal
from losswise.recording import encoding, record_queue
from tests.client.fake_server import FakeServer
from tests.support.server import eventually


@pytest.mark.parametrize("how", ["append", "log"])
def test_a_disk_that_hangs_is_waited_for_where_memory_is_full(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    full = 200_000
    monkeypatch.setattr(record_queue, "MAX_HELD_BYTES", full)
    session = losswise.Session(track_git=False, console=False)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
    assert session.flush()
    queue = session._queue
    append, released = Journal.append, threading.Event()

    def hangs(self: Journal, lines: Sequence[bytes]) -> None:
        released.wait(20)
        append(self, lines)

    monkeypatch.setattr(Journal, "append", hangs)
    x, longest = 1, 0.0
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        began = time.perf_counter()
        if how == "append":
            graph.append(x, {"a": float(x)})
        else:
            session.log({"a": float(x), "b": 0.5}, x)
        longest = max(longest, time.perf_counter() - began)
        x += 1
    assert full < queue.held() < 30 * full  # a tenth of a second at full speed, before anybody looks
    held, count = queue.held(), x
    for _ in range(200):
        graph.append(x, {"a": float(x)})
        x += 1
    assert queue.held() - held < 200 * 50
    assert longest < 1.0
    released.set()
    session.done()
    assert sorted(x for x, _y in recorder.points("a")) == list(range(x))
    assert count > 1_000
    assert "points come faster than the disk takes them" in capsys.readouterr().err


def test_what_is_no_number_hides_nothing_behind_it(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        for x in range(20_000):
            graph.append(x, {"a": "nothing"})
        for x in range(100):
            graph.append(x, {"a": float(x)})
            graph.append(x, {"b": np.float32(x)})
    assert recorder.points("a") == [(x, float(x)) for x in range(100)]
    assert recorder.points("b") == [(x, float(x)) for x in range(100)]


def test_a_signal_handler_that_interrupts_an_append_ends_with_all_points(recorder: FakeServer) -> None:
    """The interrupted frame holds the buffer until the handler is through."""
    session = losswise.Session(track_git=False, console=False)
    graph = session.graph("loss")
    for x in range(5):
        graph.append(x, {"a": float(x)})
    session.flush()
    buffer = graph.buffer.by_names[("a",)]
    held = buffer.rows  # as the frame of an append does, between asking for the buffer and adding its row
    for x in range(5, 100):
        graph.append(x, {"a": float(x)})
    eventually(lambda: buffer._old and buffer._old[0] is held)  # the writer has taken it away, and waits
    for x in range(100, 200):
        graph.append(x, {"a": float(x)})
    session.done()
    assert held is not None
    assert recorder.points("a") == [(x, float(x)) for x in range(200)]


def test_many_names_in_two_graphs_keep_their_x(recorder: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many that a record holds a part of the points, and both graphs share the text of these parts."""
    monkeypatch.setattr(encoding, "MAX_RECORD_NUMBERS", 2_000)
    losses = [f"{letter}/loss" for letter in "abcdefghij"]
    steps = 9_000
    with losswise.Session(track_git=False) as session:
        for x in range(steps):
            session.log({**dict.fromkeys(losses, float(x)), "accuracy": 0.5, "val_accuracy": 0.25}, x * 3)
    assert recorder.points("accuracy") == [(x * 3, 0.5) for x in range(steps)]
    assert recorder.points("j/loss") == [(x * 3, float(x)) for x in range(steps)]


@pytest.mark.parametrize("how", ["append", "log"])
def test_a_point_after_the_end_opens_the_session_again(recorder: FakeServer, how: str) -> None:
    session = losswise.Session(track_git=False, console=False)
    graph = session.graph("loss")
    for x in range(3):
        graph.append(x, {"a": float(x)})
        session.log({"b": float(x)}, x)
        session.done()
        if how == "append":
            graph.append(x + 10, {"a": 0.5})
        else:
            session.log({"b": 0.5}, x + 10)
        eventually(lambda x=x: (x + 10, 0.5) in recorder.points("a") + recorder.points("b"))  # type: ignore[misc]
    session.done()
    assert len(recorder.records("status")) == 4


class SlowScalar:
    """An accelerator's value: reading it waits."""

    def __init__(self, value: int) -> None:
        self.value = value

    def detach(self) -> SlowScalar:
        return self

    def clone(self) -> SlowScalar:
        return self

    def __int__(self) -> int:
        time.sleep(0.5)
        return self.value

    __index__ = __int__

    def __float__(self) -> float:
        return float(int(self))


def test_an_x_on_an_accelerator_is_not_waited_for(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    x: Any = SlowScalar(7)
    began = time.perf_counter()
    session.log({"loss": 0.5}, x)
    assert time.perf_counter() - began < 0.3
    session.log({"loss": "much"}, "no x")  # type: ignore[arg-type]
    session.log({"loss": 0.25}, 3)
    session.log({"loss": 0.75}, None)
    session.done()
    assert recorder.points("loss") == [(7, 0.5), (3, 0.25), (4, 0.75)]
