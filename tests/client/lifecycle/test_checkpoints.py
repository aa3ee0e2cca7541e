"""What integrations tell a session about checkpoints and progress: marks, rewinds, steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.cli import main
from losswise.journal.writer import Journal
from losswise.lifecycle.outcome import Outcome
from losswise.recording import journal_writer
from losswise.session_training import Mark
from tests.client.fake_server import FakeServer
from tests.support.server import Server, eventually


def new(**options: Any) -> losswise.Session:
    return losswise.Session(**{"track_git": False, "console": False, "tag": "checkpoints", **options})


def recorded(server: FakeServer) -> list[tuple[str, Any]]:
    """Marks and x of points in the order of the records."""
    found: list[tuple[str, Any]] = []
    for records in server.applied.values():
        for record in records:
            if "mark" in record:
                found.append(("mark", record["mark"]))
            elif record["type"] == "points":
                found += [("x", x) for x in record["x"]]
    return found


def test_a_mark_is_between_what_comes_before_and_after(recorder: FakeServer) -> None:
    with new() as session:
        expected: list[tuple[str, Any]] = []
        for number in range(1, 6):
            for x in range(300):
                session.log({"loss": 1.0}, 300 * number + x)
            assert list(mark_of(session).kept.values()) == [number]
            session.put_mark()
            expected += [*(("x", 300 * number + x) for x in range(300)), ("mark", number)]
        session.log({"loss": 1.0}, 7)
    assert recorded(recorder) == [*expected, ("x", 7)]
    assert all(record["values"] == {} and "t" not in record for record in recorder.records("values"))


def mark_of(session: losswise.Session) -> Mark:
    mark = session.next_mark()
    assert mark is not None
    return mark


def test_the_mark_names_the_journal_s_writer(recorder: FakeServer) -> None:
    with new() as session:
        [writer] = mark_of(session).kept
    assert {batch["writer"] for batch in recorder.batches} == {writer}


def test_what_a_writer_recorded_that_has_ended_is_kept(recorder: FakeServer) -> None:
    session = new()
    session.put_mark()
    session.done()
    ended = mark_of(session)
    assert list(ended.kept.values()) == [2]
    session.put_mark()  # opens no writer
    assert not session._recorder.open
    session.log({"loss": 1.0}, 1)
    both = mark_of(session)
    assert list(both.kept.values()) == [2, 1]
    assert next(iter(both.kept)) == next(iter(ended.kept))
    session.done()


def test_the_checkpoints_of_a_resumed_session_keep_what_was_kept(recorder: FakeServer) -> None:
    mark = Mark({"0" * 20: 7}, 50.0)
    with new(resume="1" * 20) as session:
        session.rewind(10, mark)
        session.put_mark()
        kept = mark_of(session).kept
        assert kept["0" * 20] == 7
        assert list(kept.values()) == [7, 2]
        session.rewind(5, Mark(kept, 60.0))
        assert mark_of(session).kept == kept, "its own number goes on"
    first, second = recorder.records("rewind")
    assert (first["after"], first["since"], first["kept"]) == (9, 50.0, {"0" * 20: 7})
    assert (second["after"], second["kept"]) == (4, kept)


def test_a_plain_rewind_is_as_before(recorder: FakeServer) -> None:
    with new(resume="1" * 20) as session:
        session.rewind(10)
    [record] = recorder.records("rewind")
    assert set(record) == {"type", "after", "t", "graph"}


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_series_on_other_axes(server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """As a loop of one's own that uses what integrations use: two processes, and then a third."""
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    monkeypatch.setenv("LW_MODE", mode)

    def epoch(session: losswise.Session, number: int) -> None:
        for step in range(10):
            session.log({"loss": float(number)}, 10 * number + step)
            session.graph("place").append(step, {"at": float(number)})
        session.graph("epoch").append(number, {"score": float(number)})

    first = new()
    epoch(first, 0)
    mark = mark_of(first)
    first.put_mark()
    epoch(first, 1)
    first.done("failed")
    for epochs in ((1, 2), (1,)):
        again = new(resume=first.id, tag=None)
        again.rewind(10, mark)
        for number in epochs:
            epoch(again, number)
        again.done()
    if mode == "offline":
        monkeypatch.setenv("LW_MODE", "online")
        assert main(["sync"]) == 0
    found = {
        graph["title"]: [
            list(zip(series["x"], series["y"], strict=True)) for series in server.points(graph["id"]).values()
        ]
        for graph in server.session(first.id)["graphs"]
    }
    assert found["loss"] == [[(x, float(x // 10)) for x in range(20)]]
    assert found["place"] == [[(x, y) for x in range(10) for y in (0.0, 1.0)]]
    assert found["epoch"] == [[(0, 0.0), (1, 1.0)]]


def test_a_disk_that_hangs_delays_a_mark_little(recorder: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may then come behind the mark is told apart by its time."""
    session = new()
    assert session.flush()
    append, released = Journal.append, threading.Event()

    def hangs(self: Journal, lines: Sequence[bytes]) -> None:
        released.wait(20)
        append(self, lines)

    monkeypatch.setattr(Journal, "append", hangs)
    session.log({"loss": 1.0}, 1)
    eventually(lambda: session._recorder._writer.writing_since)
    session.log({"loss": 1.0}, 2)
    session.put_mark()
    assert not released.is_set()
    session.log({"loss": 1.0}, 3)
    released.set()
    session.done()
    [mark] = recorder.records("values")
    times = {x: t for record in recorder.records("points") for x, t in zip(record["x"], record["t"], strict=True)}
    assert times[2] <= mark["t"] < times[3] + 1e-4


def test_marks_are_kept_where_the_journal_is_full(recorder: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer.JournalWriter, "_is_beyond_bound", lambda self, more: True)
    with new() as session:
        session.set_values({"a": 1})
        session.put_mark()
    assert [record.get("mark") for record in recorder.records("values")] == [1]


@pytest.mark.parametrize("mode", ["disabled", "offline"])
def test_without_a_server(journals: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("LW_MODE", mode)
    session = new()
    assert (session.next_mark() is None) == (mode == "disabled")
    session.put_mark()
    session.follow(lambda: 3)
    session.rewind(3, Mark({}, 1.0))
    session.done()
    assert journals.exists() == (mode == "offline")


# progress


def steps(recorder: FakeServer) -> list[int]:
    return [record["steps"] for record in recorder.records("values") if "steps" in record]


def test_the_steps_are_recorded_now_and_then_and_at_the_end(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_writer, "PROGRESS_INTERVAL_S", 0.2)
    done = [0]
    with new() as session:
        session.follow(lambda: done[0])
        begun = time.monotonic()
        while time.monotonic() < begun + 1.5:
            done[0] += 1
            session.log({"loss": 1.0}, done[0])
            time.sleep(0.002)
    found = steps(recorder)
    assert found == sorted(set(found))
    assert found[-1] == done[0]
    assert 3 <= len(found) <= 11


def test_steps_that_are_unknown_or_raise_are_not_recorded(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal_writer, "PROGRESS_INTERVAL_S", 0.0)
    with new() as session:
        for source in (lambda: None, lambda: 1 // 0, None):
            session.follow(source)
            session.log({"loss": 1.0})
            session.flush()
    assert steps(recorder) == []
    assert recorder.points("loss") == [(0, 1.0), (1, 1.0), (2, 1.0)]
    assert capsys.readouterr().err.count("recording the progress") == 1


def test_steps_that_stay_the_same_are_recorded_once(recorder: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_writer, "PROGRESS_INTERVAL_S", 0.0)
    with new() as session:
        session.follow(lambda: 5)
        for _ in range(5):
            session.log({"loss": 1.0})
            session.flush()
    assert steps(recorder) == [5]


def test_an_end_without_waiting_has_the_last_steps(recorder: FakeServer) -> None:
    session = new()
    session.follow(lambda: 9)
    session.end_without_waiting(Outcome("failed", "error", None))
    eventually(lambda: recorder.records("status"))
    assert steps(recorder) == [9]
