"""Points that cannot be kept: they are counted, two lines say so, and points are kept again once there is room."""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.journal.format import Header
from losswise.journal.paths import Paths, find
from losswise.journal.writer import Journal
from losswise.protocol.records import encode_number, graph_id, new_id
from losswise.recording import encoding, journal_writer
from losswise.recording.drops import DroppedPoints, bound_reached, not_written
from tests.client.conftest import Script
from tests.client.fake_server import FakeServer
from tests.client.journal.test_journal import line
from tests.support.server import Server

FILLS = """
    import time
    import losswise
    session = losswise.Session("long outage", track_git=False, console=False)
    print(session.id)
    for x in range(20_000):
        session.log({"loss": x / 3}, x)
        if x % 500 == 0:
            time.sleep(0.02)
    time.sleep(0.3)
    print("full", flush=True)
    input()
    x, writer = 20_000, session._recorder._writer
    while not writer.sender.has_sent(writer.journal.count) and x < 20_300:  # flush stays False: some were dropped
        session.log({"loss": 0.0}, x)
        x += 1
        session.flush(0.1)  # while a caller waits, the pauses between attempts are short
    for x in range(30_000, 30_100):
        session.log({"loss": 1.0}, x)
        time.sleep(0.005)
    session.done()
"""


def told(errors: str) -> list[str]:
    """The messages about what is dropped."""
    return [line for line in errors.splitlines() if "dropped" in line]


def test_at_the_bound_points_are_dropped_with_one_line_until_there_is_room_again(
    new_server: Callable[..., Server], script: Callable[..., Script]
) -> None:
    server = new_server().start()
    port = server.port
    server.stop()
    run = script(FILLS, LW_BASE_URL=server.url, LW_API_KEY=server.api_key, LW_JOURNAL_MAX="200kB")
    run.until("full")
    server.start(port)
    run.process.stdin.write("\n")
    assert run.wait(90) == 0, run.errors
    session_id = run.output.split()[0]
    arrived = server.points(graph_id(session_id, "loss"))["loss"]["x"]
    dropped = server.session(session_id)["dropped"]
    assert arrived == sorted(set(arrived))
    assert set(range(30_000, 30_100)) <= set(arrived)  # there was room again
    begins, total = told(run.errors)
    assert begins == (
        "losswise: the journal has reached 200 kB (LW_JOURNAL_MAX): from here on points, texts and images are dropped, "
        "until some of it is sent"
    )
    assert total == f"losswise: {dropped:,} points were dropped since the journal had reached 200 kB"
    assert dropped > 10_000


def test_offline_the_bound_is_reached_for_good(script: Callable[..., Script], tmp_path: Path) -> None:
    code = FILLS.partition('    print("full"')[0] + "    session.done()\n"
    run = script(code, LW_MODE="offline", LW_JOURNAL_MAX="200kB")
    assert run.wait() == 0
    assert len(told(run.errors)) == 2
    assert re.search(r"losswise: \d+,\d+ points were dropped since the journal had reached 200 kB\n", run.errors)
    assert Paths(find(tmp_path / "journals")[0]).size() < 205_000


def test_where_all_is_kept_nothing_is_said(recorder: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    with losswise.Session(track_git=False) as session:
        session.log({"loss": 1.0})
    assert told(capsys.readouterr().err) == []


def test_what_comes_and_goes_is_counted_and_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    dropped = DroppedPoints()
    for _ in range(100):
        dropped.add(bound_reached(1_000), 1)
    assert len(told(capsys.readouterr().err)) == 1
    assert dropped.total == 100


@pytest.mark.parametrize(("points", "words"), [(1, "1 point was"), (1_200, "1,200 points were")])
def test_the_end_says_how_many_points_were_dropped(capsys: pytest.CaptureFixture[str], points: int, words: str) -> None:
    dropped = DroppedPoints()
    dropped.add(bound_reached(1_000), points)
    dropped.add(not_written("a.journal", OSError(errno.EIO, "Input/output error")), 0)  # a text, but no point
    capsys.readouterr()
    dropped.report()
    assert told(capsys.readouterr().err) == [f"losswise: {words} dropped since the journal had reached 1000 bytes"]


@pytest.mark.parametrize(("bound", "text"), [(10**6, "1 MB"), (500_000, "500 kB"), (2 * 1024**3, "2 GiB")])
def test_a_bound_is_told_in_the_unit_in_which_it_is_given(bound: int, text: str) -> None:
    assert bound_reached(bound).reason == f"the journal had reached {text}"


def test_a_full_disk_is_told_with_what_to_do() -> None:
    line = not_written("/tmp/a.journal", OSError(errno.ENOSPC, "No space left on device")).warning
    assert line == (
        "the journal /tmp/a.journal cannot be written (No space left on device): from here on points are dropped, "
        "until it can; free some space (LW_JOURNAL_DIR names another folder for the next run)"
    )


def test_a_long_head_makes_no_segment_of_each_line(tmp_path: Path) -> None:
    """As with a large diff and a low bound: the head of each segment is more than its share of the bound."""
    journal = Journal(tmp_path, Header.of_this_process(new_id(), new_id(), "http://127.0.0.1:9"), bound=100_000)
    record = {"type": "session", "tag": "a", "info": {"diff": "x" * 80_000}}
    journal.note(record)
    journal.append([line(record)])
    for _ in range(100):
        journal.append([b'{"type":"values","values":{}}\n'])
    journal.finish()
    assert len(journal.paths.segments()) == 2


def test_what_cannot_be_encoded_is_counted_and_the_rest_is_kept(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = losswise.Session(track_git=False)
    bad, good = session.graph("bad"), session.graph("good")
    session.flush()
    real = encoding.points_lines

    def fails(graph_id: str, points: Any) -> Any:
        if graph_id == bad.id:
            raise ArithmeticError("no such number")
        return real(graph_id, points)

    monkeypatch.setattr(journal_writer, "points_lines", fails)
    for x in range(10):
        bad.append(x, {"a": 1.0})
        good.append(x, {"b": 2.0})
    session.done()
    assert recorder.points("b") == [(x, 2.0) for x in range(10)]
    assert recorder.points("a") == []
    assert recorder.records("status")[-1]["dropped"] == 10
    said = capsys.readouterr().err
    assert "an error while writing points (ArithmeticError: no such number)" in said
    assert told(said)[-1] == "losswise: 10 points were dropped since they could not be encoded"


@pytest.mark.parametrize("others", [[], [math.nan], [1e308, 1e308], [None]])
def test_both_infinities_in_one_write_are_kept(recorder: FakeServer, others: list[Any]) -> None:
    """Their sum is no number, and an error to math.fsum."""
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    values = [0.5, math.inf, -math.inf, 2.0, *others]
    for x, value in enumerate(values):
        if value is not None:
            graph.append(x, {"a": value, "b": -1.0})
        else:
            graph.append(x, {"b": -1.0})
    session.done()
    assert recorder.points("a") == [(x, encode_number(y)) for x, y in enumerate(values) if y is not None]
    assert recorder.points("b") == [(x, -1.0) for x in range(len(values))]


def test_at_the_bound_texts_are_dropped_too(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "2MB")
    recorder.answer = lambda batch: (500, {"error": "down"}, {})
    session = losswise.Session(track_git=False, console=False)
    for number in range(100):
        session.text(f"text {number}", "x" * 100_000)
    session.flush(2.0)
    assert sum(path.stat().st_size for path in journals.glob("*.journal")) < 2_500_000
    recorder.answer = lambda batch: None
    session.done()
