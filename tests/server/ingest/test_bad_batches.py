"""Rejected batches: the error names all bad records, and nothing of the batch is applied."""

from __future__ import annotations

import math
import time
from typing import Any, get_args

import pytest
from losswise_server.ingest import decoding, json_body, schema

from losswise.protocol import limits, records
from losswise.protocol.records import encode_number
from tests.support.batches import Writing
from tests.support.server import Server

BAD_BATCHES = [
    ({"session": "xyz"}, "`$.session`"),
    ({"session": "0" * 20 + "\n"}, "`$.session`"),
    ({"records": {}}, "Expected `array`"),
    ({"writer": "w"}, "`$.writer`"),
    ({"writer": None}, "`seq` needs a `writer`"),
    ({"replay": 1}, "`$.replay`"),
    ({"seq": 0}, "`$.seq`"),
    ({"seq": "1"}, "`$.seq`"),
    ({"seq": 1, "records": [{"type": "values", "values": {}}] * 2}, "`seq` must be the number of the last record"),
]
ZEROS = "0" * 20
BAD_RECORDS = [
    ({"type": "nonsense"}, "Invalid value 'nonsense' - at `$.records[1].type`"),
    ({"values": {}}, "missing required field `type`"),
    (17, "Expected `object`, got `int` - at `$.records[1]`"),
    (
        {"type": "points", "graph": ZEROS, "x": [1.5], "t": [0], "y": {}},
        "Expected `int`, got `float` - at `$.records[1].x[0]`",
    ),
    ({"type": "points", "graph": ZEROS, "x": [2**64], "t": [0], "y": {}}, "`$.records[1].x[0]`"),
    ({"type": "points", "graph": ZEROS, "x": [True], "t": [0], "y": {}}, "got `bool`"),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [], "y": {}}, "`x` has 1 entries, `t` has 0"),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [0], "y": {"a": [1, 2]}}, "the column 'a' of `y` has 2"),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [0], "y": {"a": ["x"]}}, "Invalid enum value 'x'"),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [0], "y": {"a": [[]]}}, "got `array`"),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [0], "y": {"a": [True]}}, "got `bool`"),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [0], "y": {"a": [10**400]}}, "out of range"),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [0], "y": {"n" * 501: [1]}}, "length <= 500"),
    (
        {"type": "points", "graph": ZEROS, "x": [1], "t": [0], "y": {f"n{n}": [1] for n in range(1_001)}},
        "length <= 1000",
    ),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [0], "y": {"a": [1]}}, "no graph"),
    ({"type": "graph", "id": ZEROS, "title": "loss"}, "id must be made from"),
    ({"type": "graph", "id": ZEROS, "title": "loss", "kind": "median"}, "`$.records[1].kind`"),
    ({"type": "session", "max_iter": -1}, "`$.records[1].max_iter`"),
    ({"type": "session", "params": []}, "`$.records[1].params`"),
    ({"type": "session", "tags": ["a", 1]}, "`$.records[1].tags[1]`"),
    ({"type": "status", "status": "great"}, "`$.records[1].status`"),
    ({"type": "status", "status": "complete", "dropped": -1}, "`$.records[1].dropped`"),
    ({"type": "text", "name": "n", "text": "x" * (1024 * 1024 + 1)}, "`$.records[1].text`"),
    ({"type": "text", "name": "n", "text": "x", "append": 1}, "`$.records[1].append`"),
    ({"type": "image", "sequence": "s", "x": 1, "image_id": "i", "sha256": "0"}, "`$.records[1].sha256`"),
    (
        {"type": "image", "sequence": "s", "x": 1, "image_id": "i", "sha256": "0" * 64, "width": 2**31},
        "`$.records[1].width`",
    ),
    ({"type": "rewind", "after": 1}, "missing required field `t`"),
    ({"type": "values", "values": {"n" * 501: 1}}, "length <= 500"),
]


@pytest.mark.parametrize(("change", "sentence"), BAD_BATCHES)
def test_a_bad_batch_is_rejected_and_changes_nothing(server: Server, change: dict, sentence: str) -> None:
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [0], a=[1.0])
    body = {"format": 1, "session": run.session, "writer": run.writer, "seq": run.seq + 1, "records": [], **change}
    answer = server.request("POST", "/api/v2/batches", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "bad_batch"
    assert sentence in answer.json()["error"]
    assert "records" not in answer.json()  # the batch itself is wrong
    run.points(graph, [1], a=[2.0])
    assert server.points(graph)["a"]["y"] == [1.0, 2.0]


@pytest.mark.parametrize(("record", "sentence"), BAD_RECORDS, ids=range(len(BAD_RECORDS)))
def test_a_bad_record_is_named_and_nothing_is_applied(server: Server, record: Any, sentence: str) -> None:
    run = Writing(server)
    graph = run.graph()
    good = [records.points_record(graph, [x], [1.0], {"a": [float(x)]}) for x in range(2)]
    answer = server.post_batch(run.session, [good[0], record, good[1]], writer=run.writer, seq=run.seq + 3)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch")
    assert answer.json()["records"] == [1]
    assert sentence in answer.json()["errors"][0]
    assert answer.json()["error"] == f"record 2 of 3: {answer.json()['errors'][0]}"
    assert server.points(graph) == {}
    run.send(*good)
    assert server.points(graph)["a"]["y"] == [0.0, 1.0]


def test_other_rejections(server: Server) -> None:
    session = records.new_id()
    for body in (b"{", b"\xff\xfe", b"[1, NaN]", b"[" * 100_000):
        answer = server.request("POST", "/api/v2/batches", data=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_json"), answer.text
    answer = server.request("POST", "/api/v2/batches", json={"format": 2, "session": session, "records": []})
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_format")
    answer = server.post_batch(session, [], writer=records.new_id())
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")
    answer = server.post_batch(session, [records.session_record()], key="wrong")
    assert answer.status_code == 200 or answer.json()["code"] == "unauthorized"
    answer = server.request("POST", "/api/v2/batches", key="wrong", json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    large = b'{"session": "' + b"x" * (limits.MAX_BATCH_BYTES + 1) + b'"}'
    answer = server.request("POST", "/api/v2/batches", data=large)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_times_out_of_range_are_rejected(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    for time_ in (1e300, -1.0, 253_402_300_800):
        for record in (
            records.session_record(created_at=time_),
            records.points_record(graph, [0], [time_], {"a": [1.0]}),
            records.status_record("complete", time_),
        ):
            answer = server.post_batch(run.session, [record], writer=run.writer, seq=run.seq + 1)
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch")
            assert "253402300799" in answer.json()["error"] or ">= 0.0" in answer.json()["error"]


def test_a_body_with_too_many_values_is_not_decoded() -> None:
    body = b'{"records": [' + b"1," * decoding.MAX_COMMAS + b"1, not JSON"
    with pytest.raises(json_body.TooLarge, match="values"):
        decoding.decode_batch(body)


def test_the_schema_has_the_values_of_the_protocol() -> None:
    assert get_args(schema.Status) == limits.STATUSES
    assert get_args(schema.Kind) == limits.KINDS
    assert set(get_args(get_args(schema.Value)[1])) == {
        encode_number(value) for value in (math.nan, math.inf, -math.inf)
    }


def test_all_bad_records_of_a_batch_are_named(server: Server) -> None:
    """Those that break the format; if there are none, those that do not fit the session."""
    run = Writing(server)
    graph = run.graph()
    point = records.points_record(graph, [1], [1.0], {"a": [1.0]})
    broken = {"type": "text", "name": "n\0", "text": 7}
    lost = {**point, "graph": ZEROS}
    foreign = records.graph_record(ZEROS, "another's")
    answer = server.post_batch(run.session, [broken, lost, point, broken], writer=run.writer, seq=run.seq + 4)
    assert (answer.status_code, answer.json()["records"]) == (422, [0, 3])
    assert answer.json()["errors"] == [f"Expected `str`, got `int` - at `$.records[{n}].text`" for n in (0, 3)]
    assert answer.json()["error"].startswith("2 bad records; record 1 of 4: Expected `str`")
    answer = server.post_batch(run.session, [lost, point, foreign, lost], writer=run.writer, seq=run.seq + 4)
    assert (answer.status_code, answer.json()["records"]) == (422, [0, 2, 3])
    assert "no graph" in answer.json()["errors"][0]
    assert "id must be made" in answer.json()["errors"][1]
    assert server.points(graph) == {}
    # the index counts from the start of the request, also if records were applied before
    run.send(point)
    answer = server.post_batch(run.session, [point, lost], writer=run.writer, seq=run.seq + 1)
    assert (answer.status_code, answer.json()["records"]) == (422, [1])
    assert run.row()["points"] == 1


def test_a_float_that_is_a_whole_number_is_accepted_as_x(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [0.0, 1, 2.0**40], a=[1.0, 2.0, 3.0])  # type: ignore[list-item]
    assert server.points(graph)["a"]["x"] == [0, 1, 2**40]
    run.send(records.text_record("note", "one", 3.0), records.rewind_record(1.0, time.time() + 9))  # type: ignore[arg-type]
    assert server.points(graph)["a"]["x"] == [0, 1]
    assert run.row()["texts"][0]["x"] == 3
