"""Images on their way from the encoder to files beside the journal."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losswise
from losswise.journal.format import Header
from losswise.journal.writer import Journal
from losswise.protocol.records import new_id
from losswise.recording import image_encoder, recorder
from tests.client.conftest import Script, journal_records
from tests.client.fake_server import FakeServer
from tests.client.values.imaging import decoded, picture


@pytest.fixture
def session(journals: Path, monkeypatch: pytest.MonkeyPatch) -> losswise.Session:
    """A session that is kept in `journals` only."""
    monkeypatch.setenv("LW_MODE", "offline")
    return losswise.Session(track_git=False, console=False)


def image_files(journals: Path) -> list[Path]:
    return sorted(journals.glob("*.blobs/*"))


def image_records(journals: Path) -> list[dict[str, Any]]:
    return [record for record in journal_records(journals) if record["type"] == "image"]


def new_journal(folder: Path) -> Journal:
    return Journal(folder, Header.of_this_process(new_id(), new_id(), "http://127.0.0.1:9"))


def test_images_are_files_of_this_user_by_their_hash(session: losswise.Session, journals: Path) -> None:
    for x in range(3):
        session.image_sequence(x, "predictions").append(picture(x), "0")
    session.done()
    records = image_records(journals)
    assert [record["x"] for record in records] == [0, 1, 2]
    assert {record["sha256"] for record in records} == {path.name for path in image_files(journals)}
    for record in records:
        [path] = [path for path in image_files(journals) if path.name == record["sha256"]]
        assert np.array_equal(decoded(path.read_bytes()), picture(record["x"]))
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_same_image_is_written_once_even_after_it_was_sent_and_removed(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    journal.add_image("a" * 64, b"content")
    file = journal.paths.blobs / ("a" * 64)
    size = journal.size
    file.unlink()
    journal.add_image("a" * 64, b"content")
    assert not file.exists()
    assert journal.size == size
    following = new_journal(tmp_path)  # of the next writer, whose images are sent by it
    following.add_image("a" * 64, b"content")
    assert (following.paths.blobs / file.name).read_bytes() == b"content"


def test_images_count_in_the_size_of_the_journal(tmp_path: Path) -> None:
    journal = new_journal(tmp_path)
    before = journal.size
    for name in "abc":
        journal.add_image(name * 64, b"x" * 1_000)
    assert journal.size - before == 3_000
    (journal.paths.blobs / ("a" * 64)).unlink()
    journal.measure()
    assert journal.size - before == 2_000


@pytest.mark.parametrize("step", ["open", "replace"])
def test_a_full_disk_drops_images_with_one_warning_until_there_is_room(
    session: losswise.Session,
    journals: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    step: str,
) -> None:
    real = getattr(os, step)

    def full(path: Any, *args: Any, **options: Any) -> Any:
        if str(path).endswith(".part"):
            raise OSError(28, "No space left on device")
        return real(path, *args, **options)

    session.image_sequence(0, "a").append(picture(0), "0")
    session.flush(5.0)
    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        for x in range(1, 4):
            session.image_sequence(x, "a").append(picture(x), "0")
        session.flush(5.0)
        assert len(image_files(journals)) == 1
    session.image_sequence(9, "a").append(picture(9), "0")
    session.graph("loss").append(0, {"a": 1.0})
    session.done()
    assert [record["x"] for record in image_records(journals)] == [0, 9]
    assert len(image_files(journals)) == 2
    assert capsys.readouterr().err.count("No space left") == 1


def test_at_the_bound_images_are_dropped_too(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "1MB")
    recorder.answer = lambda batch: (500, {"error": "down"}, {})
    recorder.takes_images = False
    session = losswise.Session(track_git=False, console=False)
    for x in range(20):
        session.image_sequence(x, "noise").append(picture(x, side=256), "0")  # 200 kB each
    session.flush(2.0)
    assert sum(path.stat().st_size for path in image_files(journals)) < 1_500_000
    assert 2 <= len(image_files(journals)) == len(image_records(journals)) < 10
    assert "points, texts and images are dropped" in capsys.readouterr().err
    recorder.answer, recorder.takes_images = lambda batch: None, True
    session.done()


def test_images_that_a_hanging_disk_does_not_take_stay_bounded_and_hold_up_no_point(
    session: losswise.Session, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 256 * 256 * 3
    monkeypatch.setattr(recorder, "MAX_IMAGE_BYTES", 3 * size)
    monkeypatch.setattr(image_encoder, "MAX_PIXEL_BYTES", 2 * size)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
    released, add_image = threading.Event(), Journal.add_image

    def hangs(self: Journal, sha256: str, data: bytes) -> None:
        assert released.wait(30.0)
        add_image(self, sha256, data)

    monkeypatch.setattr(Journal, "add_image", hangs)
    added: list[int] = []

    def add() -> None:
        for x in range(20):
            session.image_sequence(x, "noise").append(picture(x, side=256), "0")
            added.append(x)

    caller = threading.Thread(target=add)
    caller.start()
    caller.join(1.0)
    assert len(added) <= 7  # one with the disk, three encoded, two to be encoded, and one to come
    began = time.monotonic()
    for x in range(1, 1_000):
        graph.append(x, {"a": float(x)})
    assert time.monotonic() - began < 1.0
    released.set()
    caller.join(30.0)
    session.done()
    assert [record["x"] for record in image_records(journals)] == list(range(20))
    assert len(image_files(journals)) == 20


def test_images_of_a_journal_in_no_folder_are_dropped(script: Any, tmp_path: Path) -> None:
    """Nothing can be written anywhere: the script goes on, and its end waits for nothing."""
    code = """
        import losswise, numpy
        from losswise.recording import recorder
        def refuse(*args, **options):
            raise PermissionError(13, "Permission denied")
        recorder.Journal = refuse
        session = losswise.Session(track_git=False, console=False)
        for x in range(50):
            session.image_sequence(x, "noise").append(numpy.full((64, 64), x, "uint8"), "0")
        session.done()
    """
    run: Script = script(code, LW_MODE="offline")
    assert run.wait() == 0
    assert "this session is not recorded" in run.errors
    assert "Traceback" not in run.errors
    assert not list(tmp_path.glob("journals/*"))


@pytest.mark.full
def test_an_image_that_a_proxy_does_not_take_is_kept(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.takes_images = False
    session = losswise.Session(track_git=False, console=False)
    session.image_sequence(0, "images").append(np.zeros((4, 4), "uint8"), "a")
    session.graph("loss").append(0, {"a": 1.0})
    session.done()
    assert recorder.points("a") == [(0, 1.0)]
    assert len(list(journals.glob("*.blobs/*"))) == 1  # kept, and sent later
