"""What goes wrong on real machines, each once seen to lose points: threads, disks, folders, damaged files."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.cli import main
from losswise.journal.format import Header
from losswise.journal.paths import find
from losswise.journal.reader import JournalReader
from losswise.journal.writer import Journal, NotWritten
from losswise.protocol.records import new_id
from losswise.recording import graph_buffer, journal_writer
from tests.client.conftest import Script, journal_records, points_of
from tests.client.fake_server import Recorder
from tests.support.server import Server, eventually

Start = Callable[..., Script]


@pytest.fixture
def busy_switching() -> Iterator[None]:
    """Threads take turns a thousand times as often, so that what can meet does meet."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def offline(monkeypatch: pytest.MonkeyPatch, **options: Any) -> losswise.Session:
    monkeypatch.setenv("LW_MODE", "offline")
    session = losswise.Session(track_git=False, console=False, **options)
    monkeypatch.delenv("LW_MODE")
    return session


def test_two_threads_that_open_the_same_names_at_once_lose_nothing(
    journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = offline(monkeypatch)
    graph = session.graph("loss")
    made = graph_buffer.PointBuffer

    class Slow(made):  # type: ignore[misc,valid-type]
        def __init__(self, names: tuple[str, ...]) -> None:
            super().__init__(names)
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.2)  # meanwhile the main thread fills its own

    monkeypatch.setattr(graph_buffer, "PointBuffer", Slow)
    late = threading.Thread(target=graph.append, args=(0, {"a": -1.0}))
    late.start()
    time.sleep(0.05)
    for x in range(1, 101):
        graph.append(x, {"a": float(x)})
    late.join()
    session.done()
    assert sorted(x for x, _ in points_of(journal_records(journals), "a")) == list(range(101))


def test_threads_of_one_graph_lose_nothing_and_stay_in_order(
    journals: Path, monkeypatch: pytest.MonkeyPatch, busy_switching: None
) -> None:
    session = offline(monkeypatch)
    graph = session.graph("loss")

    def work(number: int) -> None:
        for x in range(20_000):
            graph.append(x, {"both" if x % 3 else f"own{number}": float(number * 1_000_000 + x)})
            if x % 500 == 0:
                time.sleep(0.001)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.done()
    in_order: dict[int, list[int]] = {number: [] for number in range(4)}
    for record in journal_records(journals):
        if record["type"] != "points":
            continue
        for place, x in enumerate(record["x"]):
            values = [column[place] for column in record["y"].values() if column[place] is not None]
            assert len(values) == 1
            in_order[int(values[0]) // 1_000_000].append(x)
    assert in_order == {number: list(range(20_000)) for number in range(4)}


def test_a_meter_that_is_read_later_is_logged_as_it_was(recorder: Recorder) -> None:
    class Meter:
        total = 0.0

        def __float__(self) -> float:
            return self.total

    session = losswise.Session(track_git=False)
    meter = Meter()
    for x in range(10):
        meter.total = float(x)
        session.graph("loss").append(x, {"a": meter})
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(10)]


def test_a_hanging_accelerator_keeps_no_other_graph_from_the_disk(script: Start, tmp_path: Path) -> None:
    code = """
        import os, time
        import losswise

        class Hanging:
            def detach(self):
                return self
            clone = detach
            def __float__(self):
                time.sleep(60)

        session = losswise.Session(track_git=False, console=False)
        session.graph("gpu").append(0, {"loss": Hanging()})
        for x in range(100):
            session.graph("plain").append(x, {"rate": float(x)})
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(os.getpid(), 9)
    """
    script(code, LW_MODE="offline").wait()
    assert points_of(journal_records(tmp_path / "journals"), "rate") == [(x, float(x)) for x in range(100)]


def test_a_caller_interrupted_before_it_wakes_the_journal_writer(
    journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-C in a notebook: the point is written all the same."""
    session = offline(monkeypatch)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
    time.sleep(0.3)
    monkeypatch.setattr(journal_writer.JournalWriter, "wake", lambda self, urgent=False: None)
    graph.append(1, {"a": 1.0})
    eventually(lambda: len(points_of(journal_records(journals), "a")) == 2, timeout=5.0)
    monkeypatch.undo()
    session.done()


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch, journals: Path, capsys: Any) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    session = offline(monkeypatch)
    for x in range(1_000):
        session.graph("loss").append(x, {"a": 1.0})
    monkeypatch.undo()
    assert "no thread can be started" in capsys.readouterr().err
    assert session._queue.closed


def test_a_line_that_the_disk_took_half_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may have seen the whole lines of it, so they stay."""
    journal = Journal(tmp_path, Header.of_this_process(new_id(), new_id(), "http://127.0.0.1:9"))
    file = journal._file

    class Full:
        left = 20

        def write(self, data: Any) -> int:
            if not self.left:
                raise OSError(errno.ENOSPC, "No space left on device")
            taken, self.left = min(self.left, len(data)), max(0, self.left - len(data))
            return file.write(bytes(data[:taken]))

        def __getattr__(self, name: str) -> Any:
            return getattr(file, name)

    reader = JournalReader(find(tmp_path)[0])
    journal._file = Full()  # type: ignore[assignment]
    with pytest.raises(NotWritten) as refused:
        journal.append([b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n'])
    assert refused.value.lines == 2
    journal._file = file
    journal.append([b'{"n":4}\n'])
    assert reader.read(1_000) == [b'{"n":1}', b'{"n":2}', b'{"n":4}']
    assert reader.number == journal.count == 3


def test_a_disk_that_fails_for_a_moment(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    session = losswise.Session(track_git=False, console=False)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
    session.flush()
    read, failures = JournalReader._read, iter([OSError(errno.ESTALE, "Stale file handle")] * 2)

    def fail(self: JournalReader, most_bytes: int) -> list[bytes]:
        for failure in failures:
            raise failure
        return read(self, most_bytes)

    monkeypatch.setattr(JournalReader, "_read", fail)
    for x in range(1, 50):
        graph.append(x, {"a": float(x)})
    assert session.flush(10.0)
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(50)]


def test_a_damaged_line_stands_in_nobody_s_way(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a power cut: zeros in the middle of a file."""
    damaged = offline(monkeypatch)
    for x in range(5):
        damaged.graph("loss").append(x, {"a": float(x)})
        damaged._recorder.write_out(5.0)  # type: ignore[union-attr]
    damaged.done()
    healthy = offline(monkeypatch)
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
    assert "refused record" in said
    assert f"session {damaged.id} is sent, but for what is missing, damaged or refused" in said
    assert f"session {healthy.id} is sent: " in said
    assert main(["sync"]) == 0  # nothing is left that it could send
    assert server.points(damaged.graph("loss").id)["a"]["x"] == [0, 1, 3, 4]
    assert server.points(healthy.graph("loss").id)["a"]["x"] == [0]
    assert [path.suffix for path in journals.iterdir()] == [".refused"]


@pytest.mark.parametrize("content", [b"", b'{"losswise": "jour'])
def test_a_journal_that_was_only_just_begun_holds_nothing(
    recorder: Recorder, journals: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    journals.mkdir()
    (journals / f"20260101-000000-{new_id()}-{new_id()}.00001.journal").write_bytes(content)
    assert main(["sync"]) == 0
    assert list(journals.iterdir()) == []


def test_a_script_that_changes_its_folder_leaves_nothing_behind(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    recorder: Recorder, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from losswise.journal import writer as journal_module

    monkeypatch.setattr(journal_module, "SEGMENT_BYTES", 10_000)
    monkeypatch.setenv("LW_JOURNAL_MAX", "100kB")
    session = offline(monkeypatch)
    graph = session.graph("loss")
    for part in range(5):
        for x in range(part * 1_000, part * 1_000 + 1_000):
            graph.append(x, {"a": float(x)})
        session._recorder.write_out(5.0)  # type: ignore[union-attr]
        main(["sync"])
        time.sleep(1.1)
    session.done()
    main(["sync"])
    assert [x for x, _ in recorder.points("a")] == list(range(5_000))


def test_texts_are_bounded_too(recorder: Recorder, journals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "2MB")
    recorder.answer = lambda batch: (500, {"error": "down"}, {})
    session = losswise.Session(track_git=False, console=False)
    for number in range(100):
        session.text(f"text {number}", "x" * 100_000)
    session._recorder.write_out(10.0)  # type: ignore[union-attr]
    assert sum(path.stat().st_size for path in journals.glob("*.journal")) < 2_500_000
    recorder.answer = lambda batch: None
    session.done()


def test_a_user_without_a_home(recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.setattr("losswise.util.paths._temporary", lambda: tmp_path / "temporary")
    monkeypatch.delenv("LW_JOURNAL_DIR")
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0, {"a": 1.0})
    assert recorder.points("a") == [(0, 1.0)]


@pytest.mark.parametrize("key", ["two\nlines", "a “quote”"])
def test_a_key_that_cannot_be_one_is_never_shown(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    monkeypatch.setenv("LW_API_KEY", key)
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0, {"a": 1.0})
    said = capsys.readouterr().err
    assert "no key has" in said
    assert key not in said
    assert "lines" not in said


@pytest.mark.full
def test_a_proxy_that_finds_an_image_too_large(
    recorder: Recorder, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numpy = pytest.importorskip("numpy")
    recorder.takes_images = False
    session = losswise.Session(track_git=False, console=False)
    session.image_sequence(0, "images").append(numpy.zeros((4, 4), "uint8"), "a")
    session.graph("loss").append(0, {"a": 1.0})
    session.done()
    assert recorder.points("a") == [(0, 1.0)]
    assert len(list(journals.glob("*.blobs/*"))) == 1  # kept, and sent later
