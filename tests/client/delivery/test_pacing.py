"""How often is sent: at once after a quiet moment, ten times a second at most, less often where steps come fast."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

import pytest

import losswise
from tests.client.fake_server import Recorder


def times_of(recorder: Recorder) -> list[float]:
    """When each batch came, from here on."""
    came: list[float] = []

    def note(batch: dict[str, Any]) -> None:
        if batch["records"]:
            came.append(time.monotonic())

    recorder.answer = note
    return came


@pytest.mark.parametrize("graphs", [1, 8])
def test_a_step_after_a_quiet_moment_goes_at_once(recorder: Recorder, graphs: int) -> None:
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


def test_steps_that_come_fast_are_sent_together(recorder: Recorder) -> None:
    session = losswise.Session(track_git=False, console=False)
    session.log({"loss": 0.5}, 0)
    session.flush()
    came = times_of(recorder)
    for x in range(1, 2_000):
        session.log({"loss": 0.5, "accuracy": 0.25}, x)
        time.sleep(0.001)
    between = [later - earlier for earlier, later in itertools.pairwise(came)]
    session.done()
    assert statistics.median(between) > 0.3
    assert max(between) < 1.5
    assert [x for x, _y in recorder.points("accuracy")] == list(range(1, 2_000))
