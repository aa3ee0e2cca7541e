"""Steps that come fast gather before they are sent, and nobody who waits for them waits for that."""

from __future__ import annotations

import time

import pytest

import losswise
from losswise import gathering
from losswise.buffers import Points
from losswise.encode import points_lines
from tests.client.recorder import Recorder
from tests.support.server import eventually


def lines(steps: int, graphs: int = 1) -> list[bytes]:
    """The lines of so many steps, on each of so many graphs."""
    found = []
    for number in range(graphs):
        points = Points(range(steps), range(steps), [0.5] * steps, {"a": [1.0] * steps})
        found += [line[:-1] for line, _count in points_lines(f"{number:020x}", points)]
    return found


@pytest.mark.parametrize(
    ("steps", "graphs", "pause"), [(1, 1, 0.0), (4, 9, 0.0), (5, 2, 0.4), (39, 1, 0.4), (40, 3, 1)]
)
def test_the_more_steps_the_fewer_requests(steps: int, graphs: int, pause: float) -> None:
    assert gathering.pause(lines(steps, graphs)) == pause


def test_a_backlog_is_sent_at_full_speed() -> None:
    assert gathering.pause(lines(40_000)) == 0


def test_what_is_no_point_does_not_wait() -> None:
    assert gathering.pause([b'{"type":"text","text":"[1,2,3,4,5,6,7]"}'] * 50) == 0


@pytest.fixture
def gathered(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> losswise.Session:
    """A session that has sent its first points, and whose next ones gather for long."""
    monkeypatch.setattr(gathering, "PAUSES", ((2, 60.0),))
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    graph.append(0, {"a": 1.0})
    eventually(lambda: recorder.points("a"))
    for x in range(1, 100):
        graph.append(x, {"a": 1.0})
    time.sleep(0.4)
    assert len(recorder.points("a")) < 100
    return session


def test_flush_does_not_wait_for_more(gathered: losswise.Session, recorder: Recorder) -> None:
    assert gathered.flush(10)
    assert len(recorder.points("a")) == 100
    gathered.done()


def test_the_end_does_not_wait_for_more(gathered: losswise.Session, recorder: Recorder) -> None:
    begun = time.monotonic()
    gathered.done()
    assert time.monotonic() - begun < 5
    assert len(recorder.points("a")) == 100
