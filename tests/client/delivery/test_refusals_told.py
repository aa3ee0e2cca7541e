"""The server hears of everything that was set aside, once, whoever sends the rest and whenever."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from losswise.cli import main
from losswise.delivery import quarantine_file
from losswise.delivery.pacing import Timing
from losswise.delivery.quarantine_file import find_boxes
from losswise.delivery.sender import Sender
from losswise.journal import reader
from losswise.journal.format import Header, record_line
from losswise.journal.writer import Journal
from losswise.protocol.limits import MAX_REFUSALS
from losswise.protocol.records import image_record, new_id, session_record, status_record, text_record
from tests.client.delivery.sending import add_text, finish, new_journal, sending
from tests.client.delivery.test_rejected_records import lines, naming
from tests.client.fake_server import FakeServer, Reply
from tests.client.journal.test_damage import left, spoil
from tests.support.server import Server, eventually

WRONG = record_line({"type": "text", "name": "bad", "text": None})


@pytest.fixture
def synced(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server that `losswise sync` sends to."""
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    return server


def left_over(folder: Path, records: list[bytes]) -> Journal:
    journal = Journal(folder, Header.of_this_process(new_id(), new_id(), "http://127.0.0.1:9"))
    journal.append([record_line(session_record(tag="left", created_at=1.0)), *records])
    journal.finish()
    return journal


def refused(server: Server, journal: Journal) -> dict[str, int]:
    row = server.session(journal.header.session)
    found = {told["what"]: told["count"] for told in row["refusals"]}
    assert row["refused"] == sum(found.values())
    return found


def test_the_page_knows_while_the_script_runs(server: Server, journals: Path) -> None:
    journal = new_journal(journals, server.url)
    sender = sending(journal, server.url, Timing(), server.api_key)
    for count in (1, 2, 3):
        journal.append([record_line(text_record("good", "x")), WRONG])
        sender.nudge()
        eventually(lambda: refused(server, journal) == {"text bad": count})  # noqa: B023 - called at once
    finish(journal, sender)


def test_a_process_that_dies_before_it_has_told_leaves_it_to_the_next(
    recorder: FakeServer, server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder.answer = lambda batch: naming(batch) if len(recorder.batches) == 1 else "drop"
    journal = new_journal(journals, recorder.url)
    journal.append([*lines(0, 20, 7), record_line(status_record("complete", 2.0))])
    sender = sending(journal, recorder.url, Timing())
    eventually(lambda: len(recorder.batches) > 2)
    sender.stopped = True
    sender.nudge()
    sender.thread.join(10)
    journal.finish()
    assert {path.suffix for path in journals.iterdir()} == {".journal", ".refused"}
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    main(["sync"])
    assert refused(server, journal) == {"text bad 0": 1, "text bad 7": 1, "text bad 14": 1}
    [box] = find_boxes(journals)
    assert [refusal.number for refusal in box.kept()] == [2, 9, 16]
    texts = server.session(journal.header.session)["texts"]
    assert [text["name"] for text in texts] == [f"good {n}" for n in range(20) if n % 7]


def test_a_journal_that_is_sent_again_counts_nothing_twice(synced: Server, journals: Path, tmp_path: Path) -> None:
    """With the file in quarantine and without it; the last record of all is a rejected one."""
    journal = left_over(journals, [*lines(1, 5, 100), WRONG, record_line(text_record("good", "x")), WRONG])
    shutil.copytree(journals, tmp_path / "copy")
    assert main(["sync"]) == 1
    [kept] = journals.iterdir()
    before = kept.read_bytes()
    counted = refused(synced, journal)
    assert counted == {"text bad": 2}
    texts = synced.session(journal.header.session)["texts"]
    for is_there in (True, False):
        shutil.copytree(tmp_path / "copy", journals, dirs_exist_ok=True)
        if not is_there:
            kept.unlink()
        assert main(["sync"]) == (0 if is_there else 1)
        assert refused(synced, journal) == counted
        assert synced.session(journal.header.session)["texts"] == texts
        if is_there:
            assert kept.read_bytes() == before


def test_what_is_in_quarantine_is_not_sent_under_its_old_number(
    recorder: FakeServer, journals: Path, tmp_path: Path
) -> None:
    """Else it would be stored twice, once `losswise quarantine --send` has sent it."""
    recorder.answer = naming
    left_over(journals, lines(0, 11, 5))
    shutil.copytree(journals, tmp_path / "copy")
    assert main(["sync"]) == 1
    recorder.answer = lambda batch: None
    recorder.applied.clear()
    recorder.last.clear()
    shutil.copytree(tmp_path / "copy", journals, dirs_exist_ok=True)
    assert main(["sync"]) == 0
    assert [record["name"] for record in recorder.records("text")] == [f"good {n}" for n in range(10) if n % 5]
    assert sum(recorder.refused().values()) == 3


@pytest.mark.parametrize("reply", [(413, "<html>too large</html>", {}), (422, {"error": "no", "code": "bad_blob"}, {})])
def test_images_are_counted(recorder: FakeServer, journals: Path, reply: Reply) -> None:
    recorder.answer_image = lambda sha256: reply
    journal = new_journal(journals, recorder.url)
    for data in (b"one", b"two"):
        sha256 = hashlib.sha256(data).hexdigest()
        journal.add_image(sha256, data)
        journal.append([record_line(image_record("faces", 1, "cat", sha256))])
    finish(journal, sending(journal, recorder.url, Timing()))
    reason = "HTTP 413" if reply[0] == 413 else "no"
    assert recorder.refused() == {("image", reason): 2}
    [box] = find_boxes(journals)
    images = [refusal.image or "" for refusal in box.kept()]
    assert sorted(images) == sorted(hashlib.sha256(data).hexdigest() for data in (b"one", b"two"))
    assert {box.paths.refused_image(image).read_bytes() for image in images} == {b"one", b"two"}


@pytest.mark.parametrize("way", ["damaged", "missing"])
def test_the_records_of_a_lost_segment_are_counted(
    synced: Server, journals: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    segments = left(journals, synced.url)
    header = reader.JournalReader(segments[0]).header
    firsts = [Header.parse(path.read_bytes().splitlines()[0]).first for path in segments]
    if way == "damaged":
        spoil(segments[2])
    else:
        segments[2].unlink()
    assert main(["sync"]) == 1
    row = synced.session(header.session)
    [told] = row["refusals"]
    assert (told["what"], told["count"], told["writer"]) == ("records", firsts[3] - firsts[2], header.writer)
    assert way in told["reason"]
    assert [path.name for path in journals.glob("*.journal")] == []
    # nothing is kept of what is not there
    assert bool(list(journals.iterdir())) is (way == "damaged")


@pytest.mark.parametrize("way", ["damaged", "missing"])
@pytest.mark.parametrize("which", [0, 2, -1])
def test_records_that_the_server_has_already_are_not_counted(
    synced: Server, journals: Path, tmp_path: Path, way: str, which: int
) -> None:
    segments = left(journals, synced.url)
    session = reader.JournalReader(segments[0]).header.session
    shutil.copytree(journals, tmp_path / "copy")
    assert main(["sync"]) == 0
    shutil.copytree(tmp_path / "copy", journals, dirs_exist_ok=True)
    if way == "damaged":
        spoil(segments[which])
    else:
        segments[which].unlink()
    main(["sync"])
    assert synced.session(session)["refused"] == 0
    assert synced.session(session)["points"] == 100


def test_a_damaged_last_segment_is_counted(synced: Server, journals: Path) -> None:
    segments = left(journals, synced.url)
    session = reader.JournalReader(segments[0]).header.session
    count = (
        len(segments[-1].read_bytes().splitlines())
        - 1
        - Header.parse(segments[-1].read_bytes().splitlines()[0]).preamble
    )
    spoil(segments[-1])
    assert main(["sync"]) == 1
    assert synced.session(session)["refused"] == count


def test_telling_alone_holds_up_nobody(recorder: FakeServer, journals: Path) -> None:
    """The last records are rejected, and so is every batch that only tells of it."""

    def answer(batch: dict[str, Any]) -> Reply | None:
        if not batch["records"]:
            return 422, {"error": "no records", "code": "bad_batch"}, {}
        return naming(batch)

    recorder.answer = answer
    journal = new_journal(journals, recorder.url)
    journal.append(lines(0, 1, 1))
    finish(journal, sending(journal, recorder.url, Timing()))
    assert len(recorder.batches) <= 4


def test_many_kinds_are_told_as_one(recorder: FakeServer, journals: Path) -> None:
    recorder.answer = naming
    journal = new_journal(journals, recorder.url)
    journal.append(lines(0, 3 * MAX_REFUSALS, 1))
    finish(journal, sending(journal, recorder.url, Timing()))
    told = recorder.refused()
    assert len(told) == MAX_REFUSALS + 1
    assert told["other data", "various reasons"] == 2 * MAX_REFUSALS
    assert sum(told.values()) == 3 * MAX_REFUSALS


def test_a_file_that_cannot_be_written_is_told_too(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, lines: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(quarantine_file, "append", full)
    recorder.answer = naming
    journal = new_journal(journals, recorder.url)
    journal.append(lines(0, 2, 2))
    finish(journal, sending(journal, recorder.url, Timing()))
    assert recorder.refused() == {("text bad 0", "no bad 0 here"): 1}
    assert "it is lost, since the file" in capsys.readouterr().err


def reject_one_by_one(recorder: FakeServer, journal: Journal, sender: Sender, sizes: list[int]) -> None:
    """Send bad texts of these sizes, each after the one before was set aside."""
    for n, size in enumerate(sizes):
        add_text(journal, sender, f"bad {n}", "x" * size)
        eventually(lambda: sum(recorder.refused().values()) == n + 1, every=0.01)  # noqa: B023 - called at once


def test_the_quarantine_is_no_larger_than_a_journal(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "20kB")
    recorder.answer = naming
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing())
    reject_one_by_one(recorder, journal, sender, [1_000] * 50)
    add_text(journal, sender, "good")
    finish(journal, sender)
    [kept] = journals.iterdir()
    assert 15_000 < kept.stat().st_size <= 30_000
    content = quarantine_file.read(kept)
    assert content.header.session == journal.header.session
    whole = [refusal for refusal in content.refusals if refusal.record]
    assert 10 < len(whole) < 20
    assert sum(refusal.total for refusal in content.refusals) == 50
    assert [record["name"] for record in recorder.records("text")] == ["good"]
    assert capsys.readouterr().err.count("is lost, since the file") == 1


def test_of_records_rejected_together_those_are_kept_for_which_there_is_room(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "20kB")
    recorder.answer = naming
    journal = new_journal(journals, recorder.url)
    sizes = [30_000, 1_000, 30_000, 1_000]
    journal.append([record_line(text_record(f"bad {n}", "x" * size)) for n, size in enumerate(sizes)])
    finish(journal, sending(journal, recorder.url, Timing()))
    assert "2 are kept in" in (errors := capsys.readouterr().err)
    assert "and 2 are lost, since it would exceed 20 kB" in errors
    [box] = find_boxes(journals)
    assert [refusal.what for refusal in box.kept()] == ["text bad 1", "text bad 3"]
    assert [record["tag"] for record in box.content.known] == ["sent"]
    assert sum(recorder.refused().values()) == 4


def test_after_the_warnings_a_loss_is_told(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "9kB")
    recorder.answer = naming
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing())
    reject_one_by_one(recorder, journal, sender, [20_000] * 10 + [100] * 10)
    finish(journal, sender)
    errors = capsys.readouterr().err
    assert errors.count("the server rejected record") == 5
    assert errors.count("the server rejects more records; it is lost") == 1
    [box] = find_boxes(journals)
    assert len(box.kept()) == 10


def test_a_later_process_counts_from_what_was_lost(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LW_JOURNAL_MAX", "20kB")
    recorder.answer = naming
    journal = new_journal(journals, recorder.url)
    journal.append([record_line(text_record("bad", "x" * 3_000))] * 20)
    finish(journal, sending(journal, recorder.url, Timing()))
    assert sum(recorder.refused().values()) == 20
    [box] = find_boxes(journals)
    assert len(box.kept()) == 6
    assert sum(refusal.total for refusal in quarantine_file.read(box.paths.refused, with_records=False).refusals) == 20
