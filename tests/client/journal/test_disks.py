"""Journals on real disks: full ones, failing ones, damaged files, folders that are not there."""

from __future__ import annotations

import builtins
import errno
import io
import os
import time
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.cli import main
from losswise.journal import reader as reader_module
from losswise.journal import writer as writer_module
from losswise.journal.format import Header
from losswise.journal.paths import find
from losswise.journal.reader import JournalReader
from losswise.journal.writer import Journal, NotWritten
from losswise.protocol.records import new_id
from tests.client.conftest import start_offline
from tests.client.fake_server import FakeServer
from tests.support.server import Server


class FullFile(io.FileIO):
    """A file on a disk with `room` for so many bytes; None: for all."""

    room: int | None = None

    def write(self, data: Any) -> int:
        if self.room is None:
            return super().write(data)
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = bytes(data)[: self.room]
        self.room -= len(taken)
        return super().write(taken)


class StaleFile(io.FileIO):
    """A file of a network file system, whose next reads fail."""

    failures = 0

    def read(self, size: int | None = -1) -> bytes:
        if StaleFile.failures:
            StaleFile.failures -= 1
            raise OSError(errno.ESTALE, "Stale file handle")
        return super().read(-1 if size is None else size) or b""


def test_a_line_that_the_disk_took_half_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may have seen the whole lines of it, so they stay."""
    files: list[FullFile] = []

    def create(path: Path, mode: str, **options: Any) -> FullFile:
        files.append(FullFile(path, mode))
        return files[-1]

    monkeypatch.setattr(writer_module, "open", create, raising=False)
    journal = Journal(tmp_path, Header.of_this_process(new_id(), new_id(), "http://127.0.0.1:9"))
    reader = JournalReader(find(tmp_path)[0])
    files[0].room = 20
    with pytest.raises(NotWritten) as refused:
        journal.append([b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n'])
    assert refused.value.lines == 2
    files[0].room = None
    journal.append([b'{"n":4}\n'])
    assert reader.read(1_000) == [b'{"n":1}', b'{"n":2}', b'{"n":4}']
    assert reader.number == journal.count == 3


def test_a_disk_that_fails_for_a_moment(recorder: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_(path: Any, mode: str = "r", buffering: int = -1, **options: Any) -> Any:
        return StaleFile(path) if buffering == 0 else builtins.open(path, mode, buffering, **options)

    monkeypatch.setattr(reader_module, "open", open_, raising=False)
    session = losswise.Session(track_git=False, console=False)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
    session.flush()
    StaleFile.failures = 2
    for x in range(1, 50):
        graph.append(x, {"a": float(x)})
    assert session.flush(10.0)
    assert StaleFile.failures == 0
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(50)]


def test_a_damaged_line_holds_up_nothing_else(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a power cut: zeros in the middle of a file."""
    damaged = start_offline(monkeypatch)
    for x in range(5):
        damaged.graph("loss").append(x, {"a": float(x)})
        damaged.flush(5.0)
    damaged.done()
    healthy = start_offline(monkeypatch)
    healthy.graph("loss").append(0, {"a": 1.0})
    healthy.done()
    [path] = journals.glob(f"*{damaged.id}*.journal")
    lines = path.read_bytes().splitlines(keepends=True)
    place = next(n for n, line in enumerate(lines) if b'"x":[2]' in line)
    lines[place] = b"\0" * (len(lines[place]) - 1) + b"\n"
    path.write_bytes(b"".join(lines))
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    assert main(["sync"]) == 1
    said = capsys.readouterr().err
    assert "the server rejected record" in said
    assert f"session {damaged.id} is sent, except what is missing, damaged or rejected" in said
    assert f"session {healthy.id} is sent: " in said
    assert main(["sync"]) == 0  # nothing is left that it could send
    assert server.points(damaged.graph("loss").id)["a"]["x"] == [0, 1, 3, 4]
    assert server.points(healthy.graph("loss").id)["a"]["x"] == [0]
    assert [path.suffix for path in journals.iterdir()] == [".refused"]


@pytest.mark.parametrize("content", [b"", b'{"losswise": "jour'])
def test_a_journal_that_was_only_just_begun_holds_nothing(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    journals.mkdir()
    (journals / f"20260101-000000-{new_id()}-{new_id()}.00001.journal").write_bytes(content)
    assert main(["sync"]) == 0
    assert list(journals.iterdir()) == []


def test_a_script_that_changes_its_folder_leaves_nothing_behind(
    recorder: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LW_JOURNAL_DIR", "relative")
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0, {"a": 1.0})
        os.chdir(tmp_path / "elsewhere")
    assert recorder.points("a") == [(0, 1.0)]
    assert list((tmp_path / "relative").iterdir()) == []


@pytest.mark.full
def test_what_sync_has_taken_away_counts_no_longer(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "100kB")
    session = start_offline(monkeypatch)
    graph = session.graph("loss")
    for part in range(5):
        for x in range(part * 1_000, part * 1_000 + 1_000):
            graph.append(x, {"a": float(x)})
        session.flush(5.0)
        main(["sync"])
        time.sleep(1.1)
    session.done()
    main(["sync"])
    assert [x for x, _ in recorder.points("a")] == list(range(5_000))


def test_a_user_without_a_home(recorder: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.setattr("losswise.util.paths._temporary", lambda: tmp_path / "temporary")
    monkeypatch.delenv("LW_JOURNAL_DIR")
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0, {"a": 1.0})
    assert recorder.points("a") == [(0, 1.0)]
