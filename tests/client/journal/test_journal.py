"""The journal on the disk: segments, the bound, a disk that is full, folders that cannot be written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.cli import main
from losswise.journal.format import Header
from losswise.journal.paths import Paths, find
from losswise.journal.reader import JournalReader
from losswise.journal.writer import Journal
from losswise.protocol.records import graph_record, merged_session, new_id, points_record, session_record, status_record
from losswise.settings import end_timeout, journal_bound
from losswise.util.locks import FileLock
from tests.client.conftest import Script, journal_records, points_of
from tests.client.fake_server import FakeServer
from tests.support.server import eventually


def line(record: object) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def written(folder: Path, points: int, segment_bytes: int) -> Journal:
    """A finished journal in segments: a session, a graph, points one by one."""
    header = Header.of_this_process(new_id(), new_id(), "http://127.0.0.1:9")
    journal = Journal(folder, header)
    journal._segment_bytes = segment_bytes
    opening = [session_record(tag="a", params={"x": 1}), graph_record("0" * 20, "loss")]
    for record in [*opening, session_record(params={"y": 2})]:
        journal.note(record)
        journal.append([line(record)])
    for x in range(points):
        journal.append([line(points_record("0" * 20, [x], [1.0], {"a": [float(x)]}))])
    journal.finish()
    return journal


def test_a_journal_grows_in_segments_and_is_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = written(tmp_path, 500, 2_000)
    assert len(journal.paths.segments()) > 10
    assert find(tmp_path) == [journal.paths.segment(1)]
    reader = JournalReader(find(tmp_path)[0])
    lines: list[bytes] = []
    while read := reader.read(700):
        lines += read
        assert reader.number == len(lines)
    assert [json.loads(text)["x"] for text in lines[3:]] == [[x] for x in range(500)]
    assert reader.number == journal.count == 503


def test_delivered_segments_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = written(tmp_path, 500, 2_000)
    before = journal.paths.size()
    reader = JournalReader(find(tmp_path)[0])
    while reader.number < 250:
        reader.read(700)
    freed = reader.forget(200)
    assert before - journal.paths.size() == freed > 5_000
    # what is left can still be sent by a process that begins at the first segment that is there
    rest = JournalReader(find(tmp_path)[0])
    assert 0 < rest.number <= 200
    assert [json.loads(text)["type"] for text in rest.preamble()[:2]] == ["session", "graph"]
    assert json.loads(rest.preamble()[0])["params"] == {"x": 1, "y": 2}
    assert json.loads(rest.read(100)[0])["x"] == [rest.header.first - 4]


def test_a_segment_that_is_just_being_made_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = written(tmp_path, 100, 2_000)
    second = journal.paths.segment(2)
    for later in journal.paths.segments()[2:]:
        later.unlink()
    whole = second.read_bytes()
    lines = whole.splitlines(keepends=True)
    reader = JournalReader(journal.paths.segment(1))
    reader.read(10_000)
    before = reader.number
    for begun in (b"", lines[0][:20], lines[0], lines[0] + lines[1][:10], lines[0] + lines[1]):
        second.write_bytes(begun)
        assert reader.read(10_000) == []
        assert reader.header.segment == 1
    second.write_bytes(whole)
    assert json.loads(reader.read(100)[0])["x"] == [before - 3]
    assert reader.header.segment == 2


def test_a_session_of_many_segments_arrives_and_leaves_nothing(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "400kB")
    most = 0
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        for x in range(20_000):
            graph.append(x, {"a": x / 3})
            if x % 2_000 == 0:
                session.flush()
                most = max(most, len(list(journals.glob("*.journal"))))
    assert [x for x, _ in recorder.points("a")] == list(range(20_000))
    assert most <= 3  # of about nine
    assert list(journals.iterdir()) == []


def test_a_server_that_forgot_is_told_again_in_a_later_segment(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "200kB")
    session = losswise.Session("tag", track_git=False, params={"rate": 0.1})
    graph = session.graph("loss")
    for x in range(2_000):
        graph.append(x, {"a": x / 3})
    assert session.flush()
    session.params["late"] = True
    assert session.flush()
    recorder.applied.clear()
    recorder.last.clear()
    graph.append(2_000, {"a": 1.0})
    session.done()
    told: dict[str, Any] = {}
    for record in recorder.records("session"):  # one or two: the late param may stand in the later segment
        told = merged_session(told, record)
    assert (told["tag"], told["params"]) == ("tag", {"rate": 0.1, "late": True})
    assert recorder.records("graph")[0]["title"] == "loss"
    assert recorder.points("a") == [(2_000, 1.0)]


def test_at_the_bound_points_are_dropped_and_counted_and_the_rest_arrives(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "50kB")
    recorder.answer = lambda batch: (500, {"error": "down"}, {})
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    for x in range(20_000):
        graph.append(x, {"a": x / 3})
        if x % 1_000 == 0:
            time.sleep(0.06)
    session.text("notes", "kept")
    assert Paths(find(journals)[0]).size() < 60_000
    recorder.answer = lambda batch: None
    eventually(lambda: len(recorder.points("a")) > 100)
    session.done()
    arrived = [x for x, _ in recorder.points("a")]
    assert arrived == sorted(set(arrived))
    [status] = recorder.records("status")
    assert status["dropped"] == 20_000 - len(arrived) > 0
    assert [record["text"] for record in recorder.records("text") if record["name"] == "notes"] == ["kept"]
    assert capsys.readouterr().err.count("LW_JOURNAL_MAX") == 1


def test_a_full_disk_drops_points_only_and_the_session_shows_how_many(
    recorder: FakeServer, script: Callable[..., Script]
) -> None:
    """A limit on the size of files is what this user may set; a full disk answers the same way."""
    pytest.importorskip("resource")
    code = """
        import resource, time
        import losswise
        session = losswise.Session(track_git=False, command_line=False, console=False)
        graph = session.graph("loss")
        graph.append(0, {"a": 0.0})
        session.flush()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
        for x in range(1, 1_000):
            graph.append(x, {"a": float(x)})
            if x == 500:
                time.sleep(0.3)
                session.graph("late").append(0, {"b": 1.0})
        time.sleep(0.3)
        print("full", flush=True)
        input()
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        session.graph("late").append(1, {"b": 2.0})
        for x in range(1_000, 1_030):
            graph.append(x, {"a": float(x)})
            time.sleep(0.02)
        time.sleep(0.3)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    """
    run = script(code, LW_BASE_URL=recorder.url, LW_API_KEY="k")
    run.until("full")
    run.process.stdin.write("\n")
    assert run.wait() == 0, run.errors
    arrived = recorder.points("a")
    assert arrived[-1] == (1_029, 1_029.0)
    assert arrived == sorted(set(arrived))
    others = recorder.points("b")
    assert others[-1] == (1, 2.0)
    assert [graph["title"] for graph in recorder.records("graph")] == ["loss", "late"]
    # the disk is full again when the session ends, and its last record is sent all the same
    [status] = recorder.records("status")
    assert status["dropped"] == 1_032 - len(arrived) - len(others) > 900
    assert run.errors.count("cannot be written") == 1
    told = (
        f"losswise: {status['dropped']:,} points were dropped since the journal could not be written (File too large)"
    )
    assert told in run.errors.splitlines()


def test_where_the_folder_cannot_be_written_another_is_taken(
    recorder: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LW_JOURNAL_DIR", str(tmp_path / "file"))
    monkeypatch.setattr("losswise.util.paths._temporary", lambda: tmp_path / "temporary")
    monkeypatch.setenv("LW_MODE", "offline")
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0, {"a": 1.0})
    assert "so it is kept in" in capsys.readouterr().err
    folder = tmp_path / "temporary"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert points_of(journal_records(folder / "journals"), "a") == [(0, 1.0)]
    monkeypatch.delenv("LW_MODE")
    assert main(["sync"]) == 0
    assert recorder.points("a") == [(0, 1.0)]
    assert list((folder / "journals").iterdir()) == []


def test_a_lock_that_is_taken_away_is_not_held_twice(tmp_path: Path, script: Callable[..., Script]) -> None:
    code = """
        import sys
        from pathlib import Path
        from losswise.util.locks import FileLock
        lock = FileLock(Path(sys.argv[0]).with_name("lock"))
        print("taken" if lock.acquire() else "refused", flush=True)
        input()
    """
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    other = script(code)
    other.until("refused")
    lock.release(remove=True)
    assert not (tmp_path / "lock").exists()
    another = script(code)
    another.until("taken")
    assert FileLock(tmp_path / "lock").is_held()


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 2 * 1024**3), ("500", 500), ("1.5 MB", 1_500_000), ("64MiB", 2**26), ("2g", 2e9), ("a lot", 2 * 1024**3)],
)
def test_the_bound_is_read_as_people_write_it(monkeypatch: pytest.MonkeyPatch, text: str, size: float) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", text)
    assert journal_bound() == size


def test_the_end_s_patience_is_settable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert end_timeout() == 10.0
    monkeypatch.setenv("LW_END_TIMEOUT", "0.5")
    assert end_timeout() == 0.5


def test_the_last_record_is_the_status(journals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_MODE", "offline")
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0, {"a": 1.0})
    last = journal_records(journals)[-1]
    assert last["type"] == status_record("complete", 0.0)["type"]
