"""Segments that cannot be read, are damaged or are not there: nothing that was not read is ever taken away."""

from __future__ import annotations

import builtins
import errno
import json
import time
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.cli import main
from losswise.journal import reader
from losswise.journal.format import Header
from losswise.journal.writer import Journal
from losswise.protocol.records import graph_id, graph_record, new_id, points_record, session_record
from tests.client.fake_server import FakeServer
from tests.support.server import Server, eventually

POINTS = 100


def left(folder: Path, base_url: str) -> list[Path]:
    """The segments of a run that has ended: points of name 'a' on a graph for each half of them."""
    header = Header.of_this_process(new_id(), new_id(), base_url)
    journal = Journal(folder, header)
    journal._segment_bytes = 1_500

    def append(record: dict[str, Any]) -> None:
        journal.note(record)
        journal.append([json.dumps(record, separators=(",", ":")).encode() + b"\n"])

    append(session_record(tag="left", created_at=1.0))
    graph = ""
    for x in range(POINTS):
        if x in (0, POINTS // 4):
            title = f"graph{x}"
            graph = graph_id(header.session, title)
            append(graph_record(graph, title))
        append(points_record(graph, [x], [1.0], {"a": [float(x)]}))
    journal.finish()
    segments = journal.paths.segments()
    assert len(segments) >= 5
    return segments


def xs(segment: Path) -> list[int]:
    lines = segment.read_bytes().splitlines()[1:]
    return [json.loads(line)["x"][0] for line in lines if b'"points"' in line]


def spoil(segment: Path) -> None:
    segment.write_bytes(b"x" + segment.read_bytes()[1:])


def failing(monkeypatch: pytest.MonkeyPatch, segment: Path, times: int) -> None:
    """Opening this segment fails so many times, as where a process has too many files open."""
    left = [times]

    def open_(path: Any, *args: Any, **options: Any) -> Any:
        if Path(path) == segment and left[0]:
            left[0] -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return builtins.open(path, *args, **options)

    monkeypatch.setattr(reader, "open", open_, raising=False)


def arrived(recorder: FakeServer) -> list[int]:
    return [x for x, _ in recorder.points("a")]


def test_a_damaged_segment_is_set_aside_and_what_follows_it_is_sent(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    segments = left(journals, server.url)
    session = reader.JournalReader(segments[0]).header.session
    hidden = next(path for path in segments if POINTS // 4 in xs(path))
    lost, spoiled = xs(hidden), hidden.read_bytes()
    assert POINTS // 4 in lost  # the second graph was made in it, so the server knows it from elsewhere
    spoil(hidden)
    assert main(["sync"]) == 1
    damage, end = capsys.readouterr().err.splitlines()
    kept = hidden.with_suffix(".refused")
    assert damage.startswith(f"losswise: session {session}: {hidden} is damaged (")
    assert damage.endswith(f"); it is kept as {kept}, and what follows it is sent")
    assert end.startswith(
        f"losswise: session {session} is sent, except what is missing, damaged or rejected: {server.url}/s/"
    )
    assert kept in journals.iterdir()
    assert {path.suffix for path in journals.iterdir()} == {".refused"}
    assert kept.read_bytes()[1:] == spoiled[1:]
    there = [x for title in ("graph0", f"graph{POINTS // 4}") for x in points(server, session, title)]
    assert there == [x for x in range(POINTS) if x not in lost]


def points(server: Server, session: str, title: str) -> list[int]:
    found: list[int] = server.points(graph_id(session, title))["a"]["x"]
    return found


@pytest.mark.parametrize("begun", [b"", b"\0" * 3_000, b'{"losswise":'])
def test_a_segment_without_a_header_is_no_end_where_another_follows(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    segments = left(journals, recorder.url)
    lost = xs(segments[1])
    segments[1].write_bytes(begun)
    assert main(["sync"]) == 1
    assert arrived(recorder) == [x for x in range(POINTS) if x not in lost]
    kept = segments[1].with_suffix(".refused")
    assert kept.read_bytes() == begun
    assert {path.suffix for path in journals.iterdir()} == {".refused"}


@pytest.mark.parametrize("begun", [b"", b'{"losswise":'])
def test_a_first_segment_without_a_header_takes_no_other_away(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    segments = left(journals, recorder.url)
    lost = xs(segments[0])
    segments[0].write_bytes(begun)
    assert main(["sync"]) == 1
    assert arrived(recorder) == [x for x in range(POINTS) if x not in lost]
    assert segments[0].with_suffix(".refused").read_bytes() == begun
    assert not list(journals.glob("*.journal"))


def test_a_missing_segment_is_no_end(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segments = left(journals, recorder.url)
    lost = xs(segments[2])
    segments[2].unlink()
    assert main(["sync"]) == 1
    assert arrived(recorder) == [x for x in range(POINTS) if x not in lost]
    assert "are missing from" in capsys.readouterr().err.splitlines()[0]
    assert list(journals.iterdir()) == []


def test_a_segment_that_is_gone_when_it_is_opened_is_passed_over(
    journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segments = left(journals, "http://127.0.0.1:9")

    def open_(path: Any, *args: Any, **options: Any) -> Any:
        if Path(path) == segments[1]:
            segments[1].unlink()
        return builtins.open(path, *args, **options)

    monkeypatch.setattr(reader, "open", open_, raising=False)
    reading = reader.JournalReader(segments[0])
    lines = []
    while read := reading.read(700):
        lines += read
    assert reading.is_at_end()
    assert reading.number > len(lines)
    assert json.loads(lines[-1])["x"] == [POINTS - 1]


@pytest.mark.parametrize(("times", "status"), [(2, 0), (99, 1)])
def test_a_segment_that_cannot_be_opened_for_a_moment_loses_nothing(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, times: int, status: int
) -> None:
    segments = left(journals, recorder.url)
    failing(monkeypatch, segments[1], times)
    assert main(["sync"]) == status
    kept = [x for path in segments if path.exists() for x in xs(path)]
    assert sorted({*arrived(recorder), *kept}) == list(range(POINTS))
    assert (kept == []) is (status == 0)


def test_a_journal_that_cannot_be_read_keeps_no_other_back(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segments = left(journals, recorder.url)
    left(journals, recorder.url)
    failing(monkeypatch, segments[1], 99)
    assert main(["sync"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any(f"is left: the journal {segments[0]} cannot be read" in line for line in lines)
    assert lines[-1] == "losswise: 1 session is sent, 1 is left"


@pytest.mark.parametrize("way", ["cannot be opened", "damaged"])
def test_a_later_run_takes_nothing_away_that_it_has_not_read(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    segments = left(journals, recorder.url)
    if way == "damaged":
        spoil(segments[1])
    else:
        failing(monkeypatch, segments[1], 99)
    with losswise.Session("later", track_git=False):
        eventually(lambda: arrived(recorder))
        time.sleep(0.5)
    assert arrived(recorder) == xs_before(segments)
    assert all(path.exists() for path in segments[1:])


def xs_before(segments: list[Path]) -> list[int]:
    """Of the points in the first segment, which may have been taken away."""
    second = next(json.loads(line)["x"][0] for line in segments[1].read_bytes().splitlines() if b'"points"' in line)
    return list(range(second))


def test_the_end_is_where_no_whole_line_is_left(journals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = left(journals, "http://127.0.0.1:9")
    reading = reader.JournalReader(segments[0])
    while reading.path != segments[-1]:
        assert not reading.is_at_end()
        reading.read(300)
    while reading.read(300):
        pass
    assert reading.is_at_end()
    with segments[-1].open("ab") as file:
        file.write(b'{"torn":')
        file.flush()
        assert reading.is_at_end()
        file.write(b"1}\n")
    assert not reading.is_at_end()


def test_a_live_session_passes_over_what_it_cannot_open_for_a_moment(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "20kB")
    session = losswise.Session("live", track_git=False, console=False)
    assert session.flush()
    [first] = journals.glob("*.journal")
    failing(monkeypatch, first.with_name(first.name.replace("00001", "00002")), 2)
    for x in range(200):
        session.graph("loss").append(x, {"a": 1.0})
        time.sleep(0.002)
    session.done()
    assert arrived(recorder) == list(range(200))
    assert list(journals.iterdir()) == []
