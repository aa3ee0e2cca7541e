"""Records that the server rejects are set aside, and those around them arrive at once and once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.delivery import quarantine_file
from losswise.delivery.pacing import Timing
from losswise.journal.format import record_line
from losswise.protocol.limits import MAX_BATCH_REWINDS, MAX_BATCH_TEXTS
from losswise.protocol.records import points_record, rewind_record, text_record
from tests.client.delivery.sending import finish, new_journal, sending
from tests.client.fake_server import FakeServer, Reply
from tests.support.server import Server, eventually


def is_bad(record: dict[str, Any]) -> bool:
    return str(record.get("name", "")).startswith("bad")


def naming(batch: dict[str, Any]) -> Reply | None:
    """Rejects a batch as a server does that names all its bad records."""
    bad = [index for index, record in enumerate(batch["records"]) if is_bad(record)]
    if not bad:
        return None
    errors = [f"no {batch['records'][index]['name']} here" for index in bad]
    return 422, {"error": errors[0], "code": "bad_batch", "records": bad, "errors": errors}, {}


def naming_without_reasons(batch: dict[str, Any]) -> Reply | None:
    reply = naming(batch)
    if reply is not None:
        del reply[1]["errors"]
    return reply


def naming_none(batch: dict[str, Any]) -> Reply | None:
    """Rejects a batch as a server of an earlier version does."""
    return (422, {"error": "a bad record", "code": "bad_batch"}, {}) if any(map(is_bad, batch["records"])) else None


def naming_wrongly(batch: dict[str, Any]) -> Reply | None:
    wrong = [-1, len(batch["records"]), True, "0", None]
    return (422, {"error": "bad", "code": "bad_batch", "records": wrong}, {}) if naming(batch) else None


def lines(first: int, count: int, every: int) -> list[bytes]:
    """Texts by number, of which one in `every` is bad."""
    numbers = range(first, first + count)
    return [record_line(text_record(f"{'bad' if n % every == 0 else 'good'} {n}", "x")) for n in numbers]


def kept_names(path: Path) -> list[str]:
    """The names of the texts in a file in quarantine."""
    return [refusal.record["name"] for refusal in quarantine_file.read(path).refusals if refusal.record is not None]


def names(recorder: FakeServer) -> list[str]:
    return [record["name"] for record in recorder.records("text")]


@pytest.mark.parametrize("answer", [naming, naming_without_reasons])
@pytest.mark.parametrize("every", [2, 100])
def test_a_stream_with_bad_records_keeps_the_others_moving(
    recorder: FakeServer,
    journals: Path,
    capsys: pytest.CaptureFixture[str],
    answer: Callable[[Any], Reply | None],
    every: int,
) -> None:
    recorder.answer = answer
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing())
    eventually(lambda: sender.has_sent(1))
    good: list[str] = []
    count = 300 // every
    for turn in range(6):
        requests = len(recorder.batches)
        journal.append(lines(1_000 * turn, 300, every))
        sender.nudge()
        good += [f"good {n}" for n in range(1_000 * turn, 1_000 * turn + 300) if n % every]
        eventually(
            lambda: names(recorder) == good,  # noqa: B023 - called at once
            timeout=10.0,
            every=0.01,
        )
        assert len(recorder.batches) == requests + 2  # the batch, and the batch without what is bad
    finish(journal, sender)
    [kept] = journals.iterdir()
    bad = [f"bad {n}" for turn in range(6) for n in range(1_000 * turn, 1_000 * turn + 300) if n % every == 0]
    assert kept_names(kept) == bad
    whole = quarantine_file.read(kept)
    assert whole.header == journal.header
    assert [refusal.number for refusal in whole.refusals] == [
        2 + 300 * (n // 1_000) + n % 1_000 for n in map(int, (name[4:] for name in bad))
    ]
    assert sum(recorder.refused().values()) == len(bad)
    said = [line for line in capsys.readouterr().err.splitlines() if "the server reject" in line]
    numbers = list(range(0, 300, every))[:5]
    more = [f"{count - 5} more"] if count > 5 else []
    reasons = [f"no bad {n if answer is naming else 0} here" for n in numbers]
    listed = [f"{2 + n} (text bad {n}): {reason}" for n, reason in zip(numbers, reasons, strict=True)]
    sentence = f"the server rejected {count} records: {'; '.join(listed + more)}; they are kept in {kept}"
    assert said[0] == f"losswise: {sentence}"
    assert len(said) == 6
    assert said[5] == f"losswise: the server rejects more records; they are kept in {kept}"


def test_the_rest_of_a_batch_does_not_wait_for_its_turn(recorder: FakeServer, journals: Path) -> None:
    recorder.answer = naming
    journal = new_journal(journals, recorder.url)
    journal.append(lines(0, 50, 7))
    sender = sending(journal, recorder.url, Timing(min_interval=120.0, max_interval=120.0))
    eventually(lambda: len(names(recorder)) == 42, timeout=10.0)
    finish(journal, sender)


def test_an_answer_that_is_lost_doubles_nothing(recorder: FakeServer, journals: Path) -> None:
    """What replaces a rejected batch is applied, its answer is lost, and it is sent again with more behind it."""
    is_lost: list[bool] = []

    def answer(batch: dict[str, Any]) -> Reply | None:
        reply = naming(batch)
        if reply is None and len(batch["records"]) > 1 and not is_lost:
            is_lost.append(True)
            journal.append(lines(50, 30, 9))
            return "drop"
        return reply

    recorder.answer = answer
    journal = new_journal(journals, recorder.url)
    journal.append(lines(0, 50, 7))
    sender = sending(journal, recorder.url, Timing())
    eventually(lambda: len(names(recorder)) >= 42 + 26)
    finish(journal, sender)
    assert is_lost
    assert names(recorder) == [f"good {n}" for n in range(50) if n % 7] + [f"good {n}" for n in range(50, 80) if n % 9]


@pytest.mark.parametrize("answer", [naming_none, naming_wrongly])
def test_a_server_that_names_none_gets_halves(
    recorder: FakeServer, journals: Path, answer: Callable[[Any], Reply | None]
) -> None:
    recorder.answer = answer
    with losswise.Session(track_git=False, console=False) as session:
        for number in range(20):
            session.text("bad" if number in (3, 13) else f"good {number}", "x")
            session.graph("loss").append(number, {"a": 1.0})
    assert names(recorder) == [f"good {number}" for number in range(20) if number not in (3, 13)]
    assert len(recorder.points("a")) == 20
    assert recorder.records("status")
    [kept] = journals.iterdir()
    assert kept_names(kept) == ["bad", "bad"]
    assert recorder.refused() == {("text bad", "bad" if answer is naming_wrongly else "a bad record"): 2}


def test_a_server_that_rejects_what_replaces_a_record_is_no_endless_loop(recorder: FakeServer, journals: Path) -> None:
    def answer(batch: dict[str, Any]) -> Reply | None:
        bad = [n for n, record in enumerate(batch["records"]) if is_bad(record) or record.get("values") == {}]
        return (422, {"error": "bad", "code": "bad_batch", "records": bad}, {}) if bad else None

    recorder.answer = answer
    journal = new_journal(journals, recorder.url)
    journal.append(lines(0, 20, 7))
    sender = sending(journal, recorder.url, Timing())
    finish(journal, sender)
    assert names(recorder) == [f"good {n}" for n in range(20) if n % 7]
    [kept] = journals.iterdir()
    assert kept_names(kept) == ["bad 0", "bad 7", "bad 14"]


def test_the_real_server_takes_what_is_left_of_a_batch(server: Server, journals: Path) -> None:
    journal = new_journal(journals, server.url)
    bad = [record_line({"type": "text", "name": 5, "text": None}), record_line({"type": "what"})]
    good = [record_line(text_record(f"good {n}", "x")) for n in range(6)]
    journal.append([*good[:2], bad[0], *good[2:4], bad[1], *good[4:]])
    sender = sending(journal, server.url, Timing(), server.api_key)
    finish(journal, sender)
    texts = server.session(journal.header.session)["texts"]
    assert sorted(text["name"] for text in texts) == [f"good {n}" for n in range(6)]
    [kept] = journals.iterdir()
    refusals = quarantine_file.read(kept).refusals
    assert [(refusal.number, refusal.record) for refusal in refusals] == [
        (4, json.loads(bad[0])),
        (7, json.loads(bad[1])),
    ]
    session = server.session(journal.header.session)
    assert session["refused"] == 2
    assert {told["what"] for told in session["refusals"]} == {"text 5", "what"}
    assert {told["writer"] for told in session["refusals"]} == {journal.header.writer}


def test_names_that_look_like_columns_stop_nothing(recorder: FakeServer, journals: Path) -> None:
    journal = new_journal(journals, recorder.url)
    y: dict[str, Any] = {":[" * 200 + str(number): [1.0] for number in range(400)}
    journal.append([record_line(points_record("0" * 20, [1], [1.0], y))] * 10)
    finish(journal, sending(journal, recorder.url, Timing()))
    assert len(recorder.records("points")) == 10


def test_a_batch_keeps_the_limits_that_a_server_has(recorder: FakeServer, journals: Path) -> None:
    """However many records are waiting, none has to be refused first."""
    journal = new_journal(journals, recorder.url)
    journal.append([record_line(rewind_record(5, 1.0))] * (3 * MAX_BATCH_REWINDS))
    journal.append([record_line(text_record("t", "", x)) for x in range(MAX_BATCH_TEXTS + 1)])
    sender = sending(journal, recorder.url, Timing())
    started = time.monotonic()
    finish(journal, sender)
    assert time.monotonic() - started < 2.0
    types = [[record["type"] for record in batch["records"]] for batch in recorder.batches]
    assert [(batch.count("rewind"), batch.count("text")) for batch in types] == [
        *[(MAX_BATCH_REWINDS, 0)] * 2,
        (MAX_BATCH_REWINDS, MAX_BATCH_TEXTS),
        (0, 1),
    ]
