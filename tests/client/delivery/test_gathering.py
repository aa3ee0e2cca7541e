"""Steps that come fast gather before they are sent, and nobody who waits for them waits for that."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losswise
from losswise.delivery import pacing as gathering
from losswise.delivery.client import Wire
from losswise.delivery.sender import Sender
from losswise.delivery.uploader import Delivery, Step
from losswise.journal.format import Header, record_line
from losswise.journal.reader import Reader
from losswise.journal.writer import Journal
from losswise.protocol.records import new_id, session_record
from losswise.recording.encoding import points_lines
from losswise.recording.point_buffer import PointBatch
from losswise.settings import Target
from tests.client.fake_server import Recorder
from tests.support.server import eventually


def lines(steps: int, graphs: int = 1) -> list[bytes]:
    """The lines of so many steps, on each of so many graphs."""
    found = []
    for number in range(graphs):
        points = PointBatch(range(steps), range(steps), [0.5] * steps, {"a": [1.0] * steps})
        found += [line[:-1] for line, _count in points_lines(f"{number:020x}", points)]
    return found


@pytest.mark.parametrize(
    ("steps", "graphs", "pause"), [(1, 1, 0.0), (4, 9, 0.0), (5, 2, 0.4), (39, 1, 0.4), (40, 3, 1)]
)
def test_the_more_steps_the_fewer_requests(steps: int, graphs: int, pause: float) -> None:
    assert gathering.pause(lines(steps, graphs)) == pause


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


def test_one_who_waits_no_more_does_not_slow_the_others(recorder: Recorder) -> None:
    sender = Sender(Target(recorder.url, "a key"))
    with sender.waited_for():
        with pytest.raises(KeyboardInterrupt), sender.waited_for():
            raise KeyboardInterrupt
        assert sender.hurried
    assert not sender.hurried


def test_images_go_while_steps_gather(gathered: losswise.Session, recorder: Recorder) -> None:
    for x in range(3):
        gathered.image_sequence(x, "noise").append(np.full((4, 4), x, np.uint8), "a")
    eventually(lambda: len(recorder.blobs) == 3)
    gathered.done()


def rests(tmp_path: Path, recorder: Recorder, steps: list[int], **options: Any) -> list[float]:
    """The rests that a delivery takes of a journal with lines of so many steps."""
    journal = Journal(tmp_path, Header.of_this_process(new_id(), new_id(), recorder.url))
    taken: list[float] = []
    rest = None if options.get("replay") else lambda seconds: taken.append(round(max(0.0, seconds), 1))
    delivery = Delivery(Reader(journal.path), Wire(recorder.url, "a key"), quietly=True, rest=rest, **options)
    journal.append([record_line(session_record(tag="a", created_at=1.0))])
    for count in [0, *steps]:
        journal.append([line + b"\n" for line in lines(count)])
        while delivery.step().step is not Step.IDLE:
            pass
    return taken[1:]


def test_a_backlog_does_not_wait_for_more(recorder: Recorder, tmp_path: Path) -> None:
    assert rests(tmp_path, recorder, [50, 40_000, 3]) == [1.0, 0, 0]


def test_a_batch_that_is_divided_does_not_wait_for_more(recorder: Recorder, tmp_path: Path) -> None:
    refused: Any = (422, {"error": "bad", "code": "bad_batch"}, {})

    def answer(batch: Any) -> Any:
        return refused if any(len(record.get("x", ())) == 41 for record in batch["records"]) else None

    recorder.answer = answer
    assert rests(tmp_path, recorder, [50, 41]) == [1.0, 1.0]


def test_what_is_sent_afterwards_does_not_wait_for_more(recorder: Recorder, tmp_path: Path) -> None:
    began = time.monotonic()
    rests(tmp_path, recorder, [50] * 5, replay=True)
    assert time.monotonic() - began < 2.0
