"""What was not stored is counted once, with the reason, for both protocols."""

from __future__ import annotations

import time
from typing import Any

import pytest
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.ingest import pipeline
from losswise_server.ingest.schema import Batch
from losswise_server.sessions.refusals import OTHER_CALLS, read_refusals
from sqlalchemy import select

from losswise.protocol import records
from losswise.protocol.limits import MAX_REFUSALS
from tests.support.application import DirectWriting, counted_statements
from tests.support.batches import Writing
from tests.support.database.rows import has_rows, key_of, rows_left
from tests.support.network.stream import Stream
from tests.support.server import Server, eventually


def told(what: str = "points loss a", reason: str = "too long", total: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"what": what, "reason": reason, "total": total, "sent": 0, "t": 1_700_000_000.0, **fields}


def counts(writing: Writing) -> dict[tuple[str, str], int]:
    row = writing.row()
    found = {(each["what"], each["reason"]): each["count"] for each in row["refusals"]}
    assert row["refused"] == sum(found.values())
    return found


def test_it_is_counted_once_however_often_it_is_told(server: Server) -> None:
    writing = Writing(server)
    assert (writing.row()["refused"], writing.row()["refusals"]) == (0, [])
    for _ in range(2):
        writing.send(refused=[told(total=3), told("text notes")])
    by_what = {each["what"]: each for each in writing.row()["refusals"]}
    expected = {"writer": writing.writer, "what": "points loss a", "reason": "too long", "count": 3, "t": 1.7e9}
    assert by_what["points loss a"] == expected
    assert counts(writing) == {("points loss a", "too long"): 3, ("text notes", "too long"): 1}
    writing.send(records.text_record("a", "b"), refused=[told(total=5)])
    writing.send(refused=[told(total=4)])  # an earlier request that arrives late
    assert counts(writing) == {("points loss a", "too long"): 5, ("text notes", "too long"): 1}
    listed = server.get("/api/v2/sessions", limit=1000)["sessions"]
    assert {row["id"]: row["refused"] for row in listed}[writing.session] == 6


def test_the_numbers_of_several_writers_add_up(server: Server) -> None:
    one = Writing(server)
    other = Writing(server, one.session)
    one.send(refused=[told(total=3)])
    other.send(refused=[told(total=2)])
    assert one.row()["refused"] == 5
    assert {each["writer"]: each["count"] for each in one.row()["refusals"]} == {one.writer: 3, other.writer: 2}


def test_what_was_sent_later_is_not_missing_any_more(server: Server) -> None:
    writing = Writing(server)
    writing.send(refused=[told(total=3), told("image", total=2)])
    writing.send(refused=[told(total=3, sent=1)], replay=True)
    assert counts(writing) == {("points loss a", "too long"): 2, ("image", "too long"): 2}
    writing.send(refused=[told(total=3, sent=3), told("image", total=2, sent=2)])
    writing.send(refused=[told(total=3, sent=1)])  # late
    assert counts(writing) == {}


def test_telling_it_goes_with_the_records_or_not_at_all(server: Server) -> None:
    writing = Writing(server)
    bad = {"type": "text", "name": 5, "text": "x"}
    answer = server.post_batch(
        writing.session, [bad], writer=writing.writer, seq=writing.seq + 1, refused=[told()], replay=False
    )
    assert answer.status_code == 422
    assert counts(writing) == {}


@pytest.mark.parametrize(
    "refused",
    [
        17,
        "x",
        {},
        [None, 1, "x", [], {}],
        [{"what": "a"}, {"what": "a", "reason": "b", "total": "3"}, {"what": "", "total": 1}],
        [told(total=-1), told(total=True), told(total=1.5), told(total=2**70), told(total=1, sent=2), told(total=0)],
    ],
)
def test_what_makes_no_sense_is_ignored_and_the_records_are_stored(server: Server, refused: Any) -> None:
    writing = Writing(server)
    writing.send(records.text_record("note", "x"), refused=refused)
    assert writing.row()["texts"][0]["text"] == "x"
    assert counts(writing) == {}


def test_odd_texts_and_times_are_stored(server: Server) -> None:
    writing = Writing(server)
    odd = "\0\ud800<b>" + "é" * 5_000
    before = time.time()
    writing.send(refused=[told(odd, odd, t="yesterday"), told("late", t=before + 1e6), told("early", t=-5)])
    by_what = {each["what"]: each for each in writing.row()["refusals"]}
    long = by_what.pop(next(what for what in by_what if "<b>" in what))
    assert (len(long["what"]), len(long["reason"])) == (200, 300)
    assert all(before - 5 <= each["t"] <= time.time() + 5 for each in by_what.values())


def test_a_batch_without_a_writer_counts_nothing(server: Server) -> None:
    """It could not be told from the same of another one."""
    writing = Writing(server)
    for _ in range(2):
        assert server.post_batch(writing.session, [], refused=[told()]).status_code == 200
    assert counts(writing) == {}


def test_the_number_of_rows_is_bounded(server: Server) -> None:
    writing = Writing(server)
    for start in range(0, 5_000, 1_000):
        writing.send(refused=[told(f"text {n}") for n in range(start, start + 1_000)])
    assert rows_left(server, "refusals", key_of(server, writing.session)) <= MAX_REFUSALS + 1


def test_pages_hear_of_it(server: Server) -> None:
    writing = Writing(server)
    version = writing.row()["version"]
    stream = Stream(server, project_id=server.project_id())
    stream.wait("hello")
    writing.send(refused=[told(total=7)])
    event = stream.wait("session", lambda row: row["id"] == writing.session and row["refused"] == 7)
    assert event["version"] == version + 1
    stream.close()
    writing.send(refused=[told(total=7)])
    assert writing.row()["version"] == version + 1


def test_it_goes_with_its_session(own_server: Server) -> None:
    writing = Writing(own_server)
    writing.send(refused=[told()])
    key = key_of(own_server, writing.session)
    assert has_rows(own_server, "refusals", key)
    assert own_server.request("DELETE", f"/api/v2/sessions/{writing.session}").status_code == 200
    eventually(lambda: not has_rows(own_server, "refusals", key))


# v1


class V1:
    """A client of protocol v1 with a session and a graph."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session = self.call("/sessions", {"tag": "v1"})["session_id"]
        self.graph = self.call("/graphs", {"session_id": self.session, "title": "loss", "kind": "min"})["graph_id"]

    def call(self, path: str, body: Any) -> Any:
        return self.server.request("POST", f"/api/v1{path}", json=body).json()

    def point(self, **fields: Any) -> dict[str, Any]:
        return {"session_id": self.session, "graph_id": self.graph, "x": 0, "y": {"a": 1.0}, "time": 1, **fields}

    def refusals(self) -> dict[str, tuple[int, str]]:
        row = self.server.session(self.session)
        found = {each["what"]: (each["count"], each["reason"]) for each in row["refusals"]}
        assert all(each["writer"] is None for each in row["refusals"])
        assert row["refused"] == sum(count for count, _ in found.values())
        return found


def test_points_of_a_list_that_a_v1_client_loses_are_counted(server: Server) -> None:
    v1 = V1(server)
    points = [v1.point(), v1.point(graph_id="0" * 20), v1.point(), v1.point(graph_id="0" * 20)]
    for _ in range(2):
        assert "no such graph" in v1.call("/point-list", {"point_list": points})["error"]
    [(count, reason)] = v1.refusals().values()
    assert count == 4
    assert "no such graph" in reason
    assert server.session(v1.session)["points"] == 4


@pytest.mark.parametrize(
    ("path", "change", "what", "words"),
    [
        ("/points", {"x": "a"}, "points", "'x' must be a whole number"),
        ("/points", {"graph_id": "f" * 20}, "points", "no such graph"),
        ("/points", {"y": {f"n{n}": 1.0 for n in range(1_001)}}, "values of points", "1,000"),
        ("/points", {"y": {"a": "b"}}, "values of points", "it is not a number"),
        ("/values", {"values": 7}, "values", "'values' must be an object"),
    ],
)
def test_what_a_v1_call_loses_is_counted_with_the_reason(
    server: Server, path: str, change: dict[str, Any], what: str, words: str
) -> None:
    v1 = V1(server)
    answer = v1.call(path, {**v1.point(), **change})
    assert words in answer["error"]
    count, reason = v1.refusals()[what]
    assert count == 1
    assert words in reason
    assert "$.records" not in reason


def test_an_image_that_a_v1_client_loses_is_counted(server: Server) -> None:
    v1 = V1(server)
    body = {"session_id": v1.session, "name": "val", "x": 3, "type": "image"}
    sequence = v1.call("/prediction-sequences", body)["prediction_sequence_id"]
    assert v1.call("/image-prediction", {"prediction_sequence_id": sequence, "image": "%"})["success"] is False
    assert v1.refusals()["image"] == (1, "'image' must be base64")
    assert v1.call("/prediction-sequences", {**body, "x": "y"})["success"] is False
    assert v1.refusals()["image sequence"] == (1, "'x' must be a whole number")


def test_each_session_of_a_list_is_counted_and_strangers_are_not(server: Server) -> None:
    one, other = V1(server), V1(server)
    lost = {"graph_id": "f" * 20}
    points = [one.point(**lost), other.point(**lost), other.point(**lost), one.point(session_id="nobody")]
    assert one.call("/point-list", {"point_list": points})["success"] is True
    assert one.refusals()["points"][0] == 1
    assert other.refusals()["points"][0] == 2


def test_what_is_in_a_point_is_not_part_of_the_reason(server: Server) -> None:
    """A list with thousands of ids and names would be as many rows."""
    v1 = V1(server)
    points = [v1.point(graph_id=f"{n:020x}") for n in range(300)]
    points += [v1.point(y={"a": 1.0, f"bad {n}": "x", "b": [1]}) for n in range(300)]
    v1.call("/point-list", {"point_list": points})
    assert v1.refusals() == {
        "points": (300, "this session has no such graph"),
        "values of points": (600, "it is not a number"),
    }
    assert server.session(v1.session)["points"] == 300


def test_the_rows_of_a_v1_session_are_bounded(app: None) -> None:
    run = DirectWriting()
    refused = [told(f"kind {n}") for n in range(MAX_REFUSALS + 20)]
    for _ in range(2):
        pipeline.apply(Batch(run.session, refused=refused), run.access, protocol=1)
    with reading() as connection:
        key = connection.execute(select(Session.key).where(Session.id == run.session)).scalar_one()
        rows = {row["what"]: row["count"] for row in read_refusals(connection, key)}
    assert len(rows) == MAX_REFUSALS + 1
    assert rows.pop(OTHER_CALLS[0]) == 40
    assert set(rows.values()) == {2}


def test_however_many_are_told_the_work_is_bounded(app: None) -> None:
    run = DirectWriting()
    refused = [told(total=n) for n in range(1, 5_000)]
    with counted_statements() as statements:
        pipeline.apply(Batch(run.session, writer=run.writer, refused=refused), run.access)
    assert len(statements) < 20
    with counted_statements() as statements:
        pipeline.apply(Batch(run.session, refused=refused), run.access, protocol=1)
    assert len(statements) < 20


def test_a_lost_call_does_not_end_a_session(server: Server) -> None:
    v1 = V1(server)
    v1.call("/points", v1.point(graph_id="f" * 20))
    row = server.session(v1.session)
    assert (row["status"], row["protocol"]) == ("active", 1)
