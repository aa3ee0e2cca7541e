"""How often is sent: at once after a quiet moment, ten times a second at most, less often where steps come fast."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losswise
from losswise.delivery.pacing import Timing, wait_for_process
from losswise.delivery.sender import Sender
from losswise.journal.writer import Journal
from tests.client.delivery.sending import add_points, add_text, finish, new_journal, sending
from tests.client.fake_server import FakeServer
from tests.support.server import eventually

PATIENT = Timing(max_interval=120.0)
"""With these, a request of many points keeps the next one waiting for longer than any test."""


def times_of(recorder: FakeServer) -> list[float]:
    """When each batch came, from here on."""
    came: list[float] = []

    def note(batch: dict[str, Any]) -> None:
        if batch["records"]:
            came.append(time.monotonic())

    recorder.answer = note
    return came


@pytest.mark.parametrize("graphs", [1, 8])
def test_a_step_after_a_quiet_moment_goes_at_once(recorder: FakeServer, graphs: int) -> None:
    session = losswise.Session(track_git=False, console=False)
    session.log({f"{graph}/loss{graph}": 0.5 for graph in range(graphs)}, 0)
    session.flush()
    time.sleep(0.3)
    came, took = times_of(recorder), []
    for x in range(1, 12):
        began = time.monotonic()
        session.log({f"{graph}/loss{graph}": 0.5 for graph in range(graphs)}, x)
        time.sleep(0.25)
        took.append(min((at - began for at in came if at > began), default=1.0))
    session.done()
    assert statistics.median(took) < 0.1


def test_steps_that_come_fast_are_sent_together(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, console=False)
    session.log({"loss": 0.5}, 0)
    session.flush()
    came = times_of(recorder)
    begun = time.monotonic()
    for x in itertools.count(1):
        session.log({"loss": 0.5, "accuracy": 0.25}, x)
        time.sleep(0.001)
        if time.monotonic() > begun + 5.0:
            break
    between = [later - earlier for earlier, later in itertools.pairwise(came)]
    session.done()
    assert max(between) > 0.3
    assert len(came) < 25  # of 50 that might have been
    assert [x for x, _y in recorder.points("accuracy")] == list(range(1, x + 1))


def test_a_slow_server_gets_steps_as_often(recorder: FakeServer, journals: Path) -> None:
    """Its own time is added, and nothing else: live charts stay live."""
    came = times_of(recorder)
    note = recorder.answer
    recorder.answer = lambda batch: (note(batch), time.sleep(0.15))[0]
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing())
    begun = time.monotonic()
    while time.monotonic() < begun + 3.0:
        add_text(journal, sender, "note")
        time.sleep(0.02)
    assert statistics.median(later - earlier for earlier, later in itertools.pairwise(came)) < 0.5
    finish(journal, sender)


def test_a_session_sends_ten_times_a_second_at_most(recorder: FakeServer, journals: Path) -> None:
    came = times_of(recorder)
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing())
    begun = time.monotonic()
    while time.monotonic() < begun + 2.0:
        add_text(journal, sender, "note")
        time.sleep(0.005)
    # the time at which a busy machine notes a request says little about two of them; all together they tell
    assert statistics.median(later - earlier for earlier, later in itertools.pairwise(came)) > 0.09
    assert len(came) <= 21
    finish(journal, sender)


def test_a_process_makes_fifty_requests_a_second_at_most() -> None:
    started: list[float] = []

    def work() -> None:
        while time.monotonic() < until:
            wait_for_process(1.0)
            started.append(time.monotonic())

    until = time.monotonic() + 1.0
    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) / (max(started) - min(started)) < 60


@pytest.fixture
def held_back(recorder: FakeServer, journals: Path) -> tuple[Journal, Sender]:
    """A sender whose next batch, of 100 points, waits for more."""
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, PATIENT)
    add_points(journal, sender, 0, 100_000)
    eventually(lambda: len(recorder.points("a")) == 100_000)
    time.sleep(0.2)
    add_points(journal, sender, 100_000, 100)
    time.sleep(0.5)
    assert len(recorder.points("a")) == 100_000
    return journal, sender


def wait(journal: Journal, sender: Sender, stack: ExitStack) -> None:
    stack.enter_context(sender.waited_for())


def end(journal: Journal, sender: Sender, stack: ExitStack) -> None:
    journal.finish()
    sender.nudge()


def record_an_image(journal: Journal, sender: Sender, stack: ExitStack) -> None:
    sender.nudge(at_once=True)


@pytest.mark.parametrize("hurry", [wait, end, record_an_image])
def test_who_waits_the_end_and_an_image_do_not_wait_for_more(
    held_back: tuple[Journal, Sender], recorder: FakeServer, hurry: Callable[[Journal, Sender, ExitStack], None]
) -> None:
    journal, sender = held_back
    with ExitStack() as stack:
        hurry(journal, sender, stack)
        eventually(lambda: len(recorder.points("a")) == 100_100, timeout=10.0)
    if not journal.complete:
        finish(journal, sender)


def test_a_backlog_does_not_wait_for_more(recorder: FakeServer, journals: Path) -> None:
    journal = new_journal(journals, recorder.url)
    add = threading.Event()
    recorder.answer = lambda batch: None if add.is_set() else (500, {}, {})
    sender = sending(journal, recorder.url, PATIENT)
    for number in range(60):
        add_points(journal, sender, number * 2_000, 2_000)
    add.set()
    # all but what is less than a backlog
    eventually(lambda: len(recorder.points("a")) >= 90_000, timeout=10.0)
    finish(journal, sender)
    assert len(recorder.points("a")) == 120_000


def test_the_last_batch_of_a_session_goes_at_once(recorder: FakeServer, journals: Path) -> None:
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing(min_interval=120.0, max_interval=120.0))
    eventually(lambda: sender.has_sent(1))
    add_points(journal, sender, 0, 20)
    time.sleep(0.3)
    assert recorder.points("a") == []
    finish(journal, sender)
    assert len(recorder.points("a")) == 20


def test_images_go_while_steps_are_held_back(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, console=False)
    for x in range(20_000):
        session.graph("loss").append(x, {"a": 1.0})
    for x in range(3):
        session.image_sequence(x, "noise").append(np.full((4, 4), x, np.uint8), "a")
    eventually(lambda: len(recorder.blobs) == 3)
    session.done()


def test_one_who_waits_no_more_does_not_slow_the_others(recorder: FakeServer, journals: Path) -> None:
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing())
    with sender.waited_for():
        with pytest.raises(KeyboardInterrupt), sender.waited_for():
            raise KeyboardInterrupt
        assert sender.waiting
    assert not sender.waiting
    finish(journal, sender)
