"""The table of answers of protocol-v2: what the client does about each."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.delivery import quarantine_file
from losswise.delivery.client import Client
from losswise.delivery.pacing import Timing
from losswise.delivery.uploader import Step, Uploader
from losswise.journal.format import Header
from losswise.journal.reader import JournalReader
from losswise.journal.writer import Journal
from losswise.protocol.records import new_id, points_record, session_record
from tests.client.conftest import journal_records, points_of
from tests.client.delivery.sending import finish, new_journal, sending
from tests.client.fake_server import FakeServer, Reply
from tests.support.server import eventually


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_END_TIMEOUT", "4")


def bad_batch(batch: dict[str, Any]) -> Reply | None:
    """Refuses what holds a text record named 'bad', as a server does: the whole batch."""
    if any(record.get("name") == "bad" for record in batch["records"]):
        return 422, {"error": "a bad record", "code": "bad_batch"}, {}
    return None


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The lines with all these words. Senders of tests before may still say something of their own."""
    return [line for line in capsys.readouterr().err.splitlines() if all(word in line for word in words)]


def test_a_bad_record_is_found_set_aside_and_the_rest_arrives(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.answer = bad_batch
    with losswise.Session(track_git=False, console=False) as session:
        for number in range(20):
            session.text("bad" if number == 13 else f"text{number}", "x")
            session.graph("loss").append(number, {"a": 1.0})
    names = [record["name"] for record in recorder.records("text")]
    assert names == [f"text{number}" for number in range(20) if number != 13]
    assert len(recorder.points("a")) == 20
    assert len(said(capsys, "rejected record")) == 1
    assert [path.suffix for path in journals.iterdir()] == [".refused"]
    [refusal] = quarantine_file.read(next(journals.iterdir())).refusals
    assert (refusal.record or {})["name"] == "bad"


def test_a_batch_too_large_is_split(recorder: FakeServer) -> None:
    def at_most_three(batch: dict[str, Any]) -> Reply | None:
        return (413, {"error": "too large"}, {}) if len(batch["records"]) > 3 else None

    recorder.answer = at_most_three
    with losswise.Session(track_git=False, console=False) as session:
        for number in range(20):
            session.text(f"text{number}", "x")
    assert len(recorder.records("text")) == 20
    assert recorder.records("status")


def test_a_server_that_forgot_the_session_is_told_again(recorder: FakeServer) -> None:
    session = losswise.Session("tag", track_git=False)
    session.graph("loss").append(0, {"a": 1.0})
    eventually(lambda: len(recorder.records("session")) == 2)  # its own, and the facts of its surroundings
    assert session.flush()
    recorder.applied.clear()
    recorder.last.clear()
    session.graph("loss").append(1, {"a": 2.0})
    session.done()
    assert recorder.records("session")[0]["tag"] == "tag"
    assert recorder.records("graph")
    assert recorder.points("a") == [(1, 2.0)]
    assert any("seq" not in batch and batch["records"] for batch in recorder.batches)


def test_a_deleted_session_is_let_go(recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    assert session.flush()
    recorder.answer = lambda batch: (410, {"error": "deleted", "code": "deleted_session"}, {})
    graph.append(0, {"a": 1.0})
    assert session.flush(5.0) is False
    sent = len(recorder.batches)
    for x in range(1_000):
        graph.append(x, {"a": 1.0})
        session.log({"loss": 1.0})
    session.done()
    time.sleep(0.3)
    assert len(recorder.batches) == sent
    assert len(said(capsys, "deleted")) == 1
    assert list(journals.iterdir()) == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_one_warning_and_keeps_everything(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    recorder.answer = lambda batch: (status, {"error": "wrong", "code": "unauthorized"}, {})
    begun = time.monotonic()
    with losswise.Session(track_git=False) as session:
        for x in range(100):
            session.graph("loss").append(x, {"a": 1.0})
    assert time.monotonic() - begun < 4.0
    assert len(said(capsys, "API key", recorder.url)) == 1
    assert len(points_of(journal_records(journals), "a")) == 100


FAULTS: dict[str, Reply] = {
    "500": (500, {"error": "broken"}, {}),
    "html": (200, "<html>welcome to the hotel</html>", {}),
    "redirect": (302, "", {"Location": "/login"}),
    "foreign 404": (404, "<html>not found</html>", {}),
    "foreign 422": (422, "<html>no</html>", {}),
    "half an answer": (200, '{"last": ', {}),
    "answer lost": "drop",
    "429": (429, {"error": "slowly"}, {"Retry-After": "0.2"}),
    "503": (503, {"error": "full"}, {"Retry-After": "0"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_each_point_is_there_once(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    recorder.answer = lambda batch: FAULTS[fault] if len(recorder.batches) <= 3 else None
    session = losswise.Session(track_git=False)
    for x in range(100):
        session.graph("loss").append(x, {"a": float(x)})
        time.sleep(0.002)
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(100)]
    assert recorder.records("status")
    assert list(journals.iterdir()) == []
    lines = capsys.readouterr().err.splitlines()
    trouble = f"losswise: {recorder.url} {'cannot be reached' if fault == 'answer lost' else 'rejected the request'} ("
    assert len([line for line in lines if line.startswith(trouble)]) == 1
    assert len([line for line in lines if "answers again" in line]) == 1


def test_answers_lost_at_random_double_nothing(recorder: FakeServer) -> None:
    recorder.answer = lambda batch: "drop" if len(recorder.batches) % 3 == 1 else None
    session = losswise.Session(track_git=False)
    for x in range(500):
        session.graph("loss").append(x, {"a": float(x)})
        session.log({"val_loss": 0.5})
        time.sleep(0.001)
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(500)]
    assert recorder.points("val_loss") == [(x, 0.5) for x in range(500)]


def test_an_absent_server_is_one_warning_and_journals_are_kept(
    journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = losswise.Session(track_git=False, base_url="http://127.0.0.1:9", api_key="k")
    graph = session.graph("loss")
    for x in range(1_000):
        graph.append(x, {"a": 1.0})
    time.sleep(1.0)
    begun = time.monotonic()
    session.done()
    assert time.monotonic() - begun < 4.0
    lines = capsys.readouterr().err.splitlines()
    assert len([line for line in lines if "cannot be reached (connection refused)" in line]) == 1
    assert len([line for line in lines if "losswise sync" in line and str(journals) in line]) == 1
    assert len(points_of(journal_records(journals), "a")) == 1_000
    assert journal_records(journals)[-1]["type"] == "status"


def test_a_server_that_never_answers_keeps_no_point_from_the_disk(recorder: FakeServer, journals: Path) -> None:
    recorder.answer = lambda batch: "hang"
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    longest = 0.0
    for x in range(2_000):
        begun = time.perf_counter()
        graph.append(x, {"a": 1.0})
        longest = max(longest, time.perf_counter() - begun)
    time.sleep(0.4)
    assert len(points_of(journal_records(journals), "a")) == 2_000
    assert longest < 1.0
    begun = time.monotonic()
    session.done()
    assert time.monotonic() - begun < 6.0


def test_a_heartbeat_is_sent_in_silence_and_never_journalled(recorder: FakeServer, journals: Path) -> None:
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing(heartbeat=0.3))
    eventually(lambda: sender.has_sent(1))
    time.sleep(1.2)
    beats = [batch for batch in recorder.batches if not batch["records"]]
    assert 2 <= len(beats) <= 4
    assert all("seq" not in batch for batch in beats)
    assert len(journal_records(journals)) == 1
    finish(journal, sender)


def test_batches_are_compressed_numbered_and_authorized(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False, api_key="a key") as session:
        for x in range(2_000):
            session.graph("loss").append(x, {"a": x / 3})
        session.graph("loss").append(2, {"b": 1.0})
    assert any(headers.get("Content-Encoding") == "gzip" for headers in recorder.headers)
    assert {headers["Authorization"] for headers in recorder.headers} == {"Bearer a key"}
    numbered = [batch for batch in recorder.batches if "seq" in batch]
    seq = 0
    for batch in numbered:
        assert batch["seq"] - len(batch["records"]) == seq
        assert batch["format"] == 1
        assert batch["replay"] is False
        seq = batch["seq"]


def test_a_server_that_skips_ahead_is_followed(recorder: FakeServer, tmp_path: Path) -> None:
    header = Header.of_this_process(new_id(), new_id(), recorder.url)
    journal = Journal(tmp_path, header)
    lines = [json.dumps(session_record(tag="a")).encode() + b"\n"]
    lines += [json.dumps(points_record("0" * 20, [x], [1.0], {"a": [1.0]})).encode() + b"\n" for x in range(10)]
    journal.append(lines)
    journal.finish()
    recorder.applied[header.session] = []
    recorder.last[header.session, header.writer] = 6
    delivery = Uploader(JournalReader(journal.path), Client(recorder.url, "k"), replay=True)
    while delivery.step().step is not Step.IDLE:
        pass
    assert delivery.acknowledged == 11
    assert recorder.points("a") == [(x, 1.0) for x in range(5, 10)]
    assert recorder.batches[0]["replay"] is True
