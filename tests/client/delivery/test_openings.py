"""A journal whose session record is missing, unreadable or rejected: its session is made all the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from losswise.cli import main
from losswise.delivery.pacing import Timing
from losswise.delivery.quarantine_file import find_boxes
from losswise.journal.format import Header, record_line
from losswise.journal.writer import Journal
from losswise.protocol.records import graph_id, graph_record, new_id, points_record, session_record, status_record
from tests.client.delivery.sending import add_text, finish, sending
from tests.client.fake_server import FakeServer, Reply
from tests.client.journal.test_damage import left, spoil, xs
from tests.support.server import Server, eventually

GOOD = {"tag": "run", "project": "vision", "created_at": 1.0, "max_iter": 50}


def left_over(folder: Path, url: str, opening: list[bytes], points: int = 20) -> Journal:
    """A journal of a run that has ended, which begins with these lines: a graph and points of name "a"."""
    journal = Journal(folder, Header.of_this_process(new_id(), new_id(), url))
    graph = graph_id(journal.header.session, "loss")
    lines = [*opening, record_line(graph_record(graph, "loss"))]
    lines += [record_line(points_record(graph, [x], [2.0], {"a": [float(x)]})) for x in range(points)]
    journal.append([*lines, record_line(status_record("complete", 3.0))])
    journal.finish()
    return journal


def use(server: Server | FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key if isinstance(server, Server) else "k")


def kept(folder: Path) -> list[Any]:
    return [refusal for box in find_boxes(folder) for refusal in box.kept()]


OPENINGS: dict[str, tuple[list[bytes], int]] = {
    # lines, and how many of them are in quarantine afterwards
    "none": ([], 0),
    "a bad field": ([record_line(session_record(**GOOD, params=["no", "mapping"]))], 0),
    "half a line": ([record_line(session_record(**GOOD))[:40] + b"\n"], 1),
    "zeros": ([b"\0" * 50 + b"\n"], 1),
    "a bare NaN": ([b'{"type":"session","tag":"run","params":{"lr":NaN}}\n'], 1),
    "an array": ([b"[]\n"], 1),
    "nested too deeply": (
        [b'{"type":"session","created_at":1.0,"params":{"a":' + b"[" * 9_000 + b"]" * 9_000 + b"}}\n"],
        0,
    ),
    "too large": ([json.dumps(session_record(**GOOD, params={"a": "x" * (33 * 1024 * 1024)})).encode() + b"\n"], 1),
    "bad, and a good one behind it": (
        [record_line(session_record(**GOOD, params=7)), record_line(session_record(info={"note": "later"}))],
        0,
    ),
}


@pytest.mark.parametrize("opening", OPENINGS)
def test_its_session_is_made(server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, opening: str) -> None:
    use(server, monkeypatch)
    lines, count = OPENINGS[opening]
    journal = left_over(journals, server.url, lines)
    assert main(["sync"]) == (1 if count else 0)
    session = server.session(journal.header.session)
    assert (session["status"], session["points"]) == ("complete", 20)
    assert server.points(graph_id(journal.header.session, "loss"))["a"]["y"] == [float(x) for x in range(20)]
    assert [refusal.number for refusal in kept(journals)] == [1] * count
    assert session["refused"] == count
    if opening.startswith(("a bad field", "bad, ", "too large")):  # what is certain to be accepted is kept
        assert (session["tag"], session["project"], session["max_iter"]) == ("run", "vision", 50)
        assert session["created_at"] == 1.0
    if opening.startswith("bad, "):
        assert session["info"] == {"note": "later"}
    assert not list(journals.glob("*.journal"))


def rejecting(is_bad: Callable[[dict[str, Any]], bool], answer: str) -> Callable[[dict[str, Any]], Reply | None]:
    """A server that rejects batches with such records, and names them, or does not, or calls the batch too large."""

    def reply(batch: dict[str, Any]) -> Reply | None:
        bad = [index for index, record in enumerate(batch["records"]) if is_bad(record)]
        if not bad:
            return None
        if answer == "413":
            return 413, "<html>too large</html>", {}
        named = {"records": bad, "errors": ["no"] * len(bad)} if answer == "named" else {}
        return 422, {"error": "no", "code": "bad_batch", **named}, {}

    return reply


@pytest.mark.parametrize("answer", ["named", "not named", "413"])
@pytest.mark.parametrize("bad", ["params", "tag"])
def test_a_smaller_one_takes_the_place_of_what_is_rejected(
    recorder: FakeServer, journals: Path, answer: str, bad: str
) -> None:
    recorder.answer = rejecting(lambda record: record["type"] == "session" and bad in record, answer)
    opening = [record_line(session_record(**GOOD, params={"lr": 1}))]
    journal = left_over(journals, recorder.url, opening)
    assert main(["sync"]) == 1
    made = recorder.applied[journal.header.session][0]
    assert made["type"] == "session"
    assert ("tag" in made) == (bad == "params")
    assert recorder.points("a") == [(x, float(x)) for x in range(20)]
    assert len(recorder.batches) < 40
    assert [refusal.number for refusal in kept(journals)] == [1]


def test_a_session_that_cannot_be_made_is_left_and_the_others_are_sent(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder.is_healthy = True
    journal = left_over(journals, recorder.url, [record_line(session_record(**GOOD))])
    is_bad = journal.header.session
    rejects = rejecting(lambda record: record["type"] == "session", "named")
    recorder.answer = lambda batch: rejects(batch) if batch["session"] == is_bad else None
    other = left_over(journals, recorder.url, [record_line(session_record(**GOOD))])
    assert main(["sync"]) == 1
    assert len(recorder.points("a")) == 20
    assert other.header.session in recorder.applied
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "losswise: 1 session is sent, 1 is left"
    assert len(recorder.batches) < 20
    assert [path.name for path in journals.glob("*.journal")] == [journal.path.name]


@pytest.mark.parametrize("answer", ["named", "not named"])
def test_a_graph_that_is_rejected_when_it_is_sent_again_holds_up_no_other(
    recorder: FakeServer, journals: Path, answer: str
) -> None:
    """A server is restored from an empty backup by a version with other limits."""
    rejects = rejecting(lambda record: record.get("title") == "bad", answer)
    journal = Journal(journals, Header.of_this_process(new_id(), new_id(), recorder.url), sends=True)
    journal.append([record_line(session_record(**GOOD))])
    titles = ["good 1", "bad", "good 2"]
    journal.append([record_line(graph_record(graph_id(journal.header.session, title), title)) for title in titles])
    sender = sending(journal, recorder.url, Timing())
    eventually(lambda: sender.has_sent(4))
    recorder.answer = lambda batch: None if "seq" in batch else rejects(batch)
    recorder.applied.clear()
    recorder.last.clear()
    add_text(journal, sender, "note")
    finish(journal, sender)
    assert {record["title"] for record in recorder.records("graph")} == {"good 1", "good 2"}
    assert [record["name"] for record in recorder.records("text")] == ["note"]
    assert len(recorder.batches) < 20
    assert [(refusal.number, refusal.what) for refusal in kept(journals)] == [(None, "graph bad")]
    assert recorder.refused() == {("graph bad", "no"): 1}


def test_a_server_that_forgets_at_once_is_no_endless_loop(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says that it has made the session, and does not know it a moment later. Another session is sent."""
    lost = left_over(journals, recorder.url, [record_line(session_record(**GOOD))]).header.session
    other = left_over(journals, recorder.url, [record_line(session_record(**GOOD))]).header.session

    def answer(batch: dict[str, Any]) -> Reply | None:
        if batch["session"] != lost:
            return None
        if "seq" in batch:
            return 404, {"error": "no such session", "code": "unknown_session"}, {}
        return 200, {"last": 0, "created": True}, {}

    recorder.answer = answer
    assert main(["sync"]) == 1
    assert list(recorder.applied) == [other]
    assert capsys.readouterr().err.splitlines()[-1] == "losswise: 1 session is sent, 1 is left"
    assert len(recorder.batches) < 20


@pytest.mark.parametrize("way", ["spoiled", "empty", "zeros"])
def test_a_first_segment_that_makes_no_sense_is_set_aside_and_the_others_are_sent(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    use(server, monkeypatch)
    segments = left(journals, server.url)
    session = json.loads(segments[0].read_bytes().splitlines()[0])["session"]
    lost = xs(segments[0])
    if way == "spoiled":
        spoil(segments[0])
    else:
        segments[0].write_bytes(b"" if way == "empty" else bytes(2_000))
    capsys.readouterr()
    assert main(["status"]) == 0
    assert session in capsys.readouterr().out
    assert main(["sync"]) == 1
    there = [x for graph in server.session(session)["graphs"] for x in server.points(graph["id"])["a"]["x"]]
    assert there == [x for x in range(100) if x not in lost]
    assert [path.name for path in journals.glob("*.journal")] == []
    row = server.session(session)
    assert row["tag"] == "left"
    [told] = row["refusals"]
    assert told["what"] == "records"
    assert told["count"] == len(lost) + 2  # the session's and the graph's too
