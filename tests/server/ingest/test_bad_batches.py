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
    ({"session": "xyz"}, "'session' must be 20 hexadecimal digits"),
    ({"session": "0" * 20 + "\n"}, "'session' must be 20 hexadecimal digits"),
    ({"records": {}}, "'records' must be a list"),
    ({"writer": "w"}, "'writer' must be 20 hexadecimal digits"),
    ({"writer": None}, "'seq' needs a 'writer'"),
    ({"replay": 1}, "'replay' must be true or false, not a whole number"),
    ({"seq": 0}, "'seq' must be at least 1"),
    ({"seq": "1"}, "'seq' must be a whole number, not text"),
    ({"seq": 1, "records": [{"type": "values", "values": {}}] * 2}, "'seq' must be the number of the last record"),
]
ZEROS = "0" * 20
ONE = {"type": "points", "graph": ZEROS, "x": [1], "t": [0]}
IMAGE = {"type": "image", "sequence": "s", "x": 1, "image_id": "i"}
BAD_RECORDS = [
    ({"type": "nonsense"}, "there is no such type of record"),
    ({"values": {}}, "'type' is missing"),
    (17, "it must be an object, not a whole number"),
    (
        {"type": "points", "graph": ZEROS, "x": [1.5], "t": [0], "y": {}},
        "a value of 'x' must be a whole number, not a fraction",
    ),
    ({"type": "points", "graph": ZEROS, "x": [2**64], "t": [0], "y": {}}, "a value of 'x' must fit in 64 bits"),
    ({"type": "points", "graph": ZEROS, "x": [True], "t": [0], "y": {}}, "must be a whole number, not true or false"),
    ({"type": "points", "graph": ZEROS, "x": [1], "t": [], "y": {}}, "'x' and 't' must have the same length"),
    ({**ONE, "y": {"a": [1, 2]}}, "'x' and each column of 'y' must have the same length"),
    ({**ONE, "y": {"a": ["x"]}}, "a value of 'y' must be a number, not text"),
    ({**ONE, "y": {"a": [[]]}}, "a value of 'y' must be a number, not a list"),
    ({**ONE, "y": {"a": [True]}}, "must be a number, not true or false"),
    ({**ONE, "y": {"a": [10**400]}}, "a value of 'y' must be a number of 64 bits"),
    ({**ONE, "y": {"n" * 501: [1]}}, "a name in 'y' has at most 500 characters"),
    (
        {**ONE, "y": {f"n{n}": [1] for n in range(1_001)}},
        "'y' has at most 1,000 names",
    ),
    ({**ONE, "y": {"a": [1]}}, "no such graph"),
    ({"type": "graph", "id": ZEROS, "title": "loss"}, "id must be made from"),
    ({"type": "graph", "id": ZEROS, "title": "loss", "kind": "median"}, "'kind' has an unknown value"),
    ({"type": "status", "status": "great"}, "'status' has an unknown value"),
    ({"type": "status", "status": "complete", "dropped": -1}, "'dropped' must be at least 0"),
    ({"type": "text", "name": "n", "text": "x" * (1024 * 1024 + 1)}, "'text' has at most 1,048,576 characters"),
    ({"type": "text", "name": "n", "text": "x", "append": 1}, "'append' must be true or false, not a whole number"),
    ({**IMAGE, "sha256": "0"}, "'sha256' must be 64 hexadecimal digits"),
    (
        {**IMAGE, "sha256": "0" * 64, "width": 2**31},
        "'width' must be at most 2,147,483,647",
    ),
    ({"type": "rewind", "after": 1}, "'t' is missing"),
    ({"type": "values", "values": {"n" * 501: 1}}, "a name in 'values' has at most 500 characters"),
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
            records.points_record(graph, [0], [time_], {"a": [1.0]}),
            records.status_record("complete", time_),
        ):
            answer = server.post_batch(run.session, [record], writer=run.writer, seq=run.seq + 1)
            assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch")
            assert "must be at " in answer.json()["error"]


def test_a_body_with_too_many_values_is_not_decoded() -> None:
    body = b'{"records": [' + b"1," * decoding.MAX_COMMAS + b"1, not JSON"
    with pytest.raises(json_body.TooLarge, match="values"):
        decoding.decode_batch(body)


def test_a_body_with_too_many_lists_is_not_decoded() -> None:
    body = b'{"records": [' + b"[]," * limits.MAX_BATCH_CONTAINERS + b"1, not JSON"
    with pytest.raises(json_body.TooLarge, match="lists and objects"):
        decoding.decode_batch(body)


@pytest.mark.parametrize("text", ["[" * 1_000_000, '["\\{' * 200_000])
def test_brackets_in_texts_are_no_lists(server: Server, text: str) -> None:
    run = Writing(server)
    run.send(*(records.text_record("t", text, x) for x in range(5)))


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
    assert answer.json()["errors"] == ["'text' must be text, not a whole number"] * 2
    assert answer.json()["error"].startswith("2 bad records; record 1 of 4: 'text' must be")
    answer = server.post_batch(run.session, [lost, point, foreign, lost], writer=run.writer, seq=run.seq + 4)
    assert (answer.status_code, answer.json()["records"]) == (422, [0, 2, 3])
    assert "no such graph" in answer.json()["errors"][0]
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


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


NOT_STORABLE = [
    (
        {"type": "values", "values": {"a": deep(64)}},
        "'values' has at most 64 levels of objects and lists",
    ),
    ({"type": "values", "values": {"a": deep(900)}}, "at most 64 levels"),
    ({"type": "values", "values": {"a": "x" * 1_100_000}}, "'values' takes at most 1,048,576 bytes of JSON"),
    (
        {"type": "image", "outputs": {"a": deep(64)}},
        "'outputs' has at most 64 levels of objects and lists",
    ),
    ({"type": "image", "outputs": {"a": "x" * 1_100_000}}, "'outputs' takes at most 1,048,576 bytes"),
    ({"type": "image", "outputs": [1]}, "'outputs' must be an object, not a list"),
    ({"type": "image", "metrics": {"a": [1]}}, "a value of 'metrics' must be a number, not a list"),
    ({"type": "image", "metrics": {"a": "high"}}, "a value of 'metrics' must be a number, not text"),
    ({"type": "image", "metrics": [1]}, "'metrics' must be an object, not a list"),
    ({"type": "image", "height": 2**31}, "'height' must be at most 2,147,483,647"),
    ({"type": "image", "x": 2**63}, "'x' must fit in 64 bits"),
    ({"type": "status", "status": "failed", "error": {"type": ["E"]}}, "a value of 'error' must be text, not a list"),
    ({"type": "status", "status": "failed", "error": "E"}, "'error' must be an object, not text"),
    ({"type": "status", "status": "complete", "dropped": 2**63}, "'dropped' must fit in 64 bits"),
    ({"type": "status", "status": "complete", "t": 1e300}, "'t' must be at most 253,402,300,799"),
    ({"type": "status", "status": "complete", "reason": 5}, "'reason' must be text, not a whole number"),
    ({"type": "graph", "id": ZEROS, "title": ["loss"]}, "'title' must be text, not a list"),
    ({"type": "rewind", "after": 2**63, "t": 1.0}, "'after' must fit in 64 bits"),
    ({"type": "text", "name": "n", "x": -(2**63) - 1, "text": ""}, "'x' must fit in 64 bits"),
]


@pytest.mark.parametrize(("record", "sentence"), NOT_STORABLE, ids=range(len(NOT_STORABLE)))
def test_what_cannot_be_stored_or_shown_is_rejected(server: Server, record: dict[str, Any], sentence: str) -> None:
    run = Writing(server)
    if record["type"] == "image":
        record = {"sequence": "s", "x": 1, "image_id": "i", "sha256": "0" * 64, **record}
    good = records.values_record({"good": 1})
    answer = server.post_batch(run.session, [good, record], writer=run.writer, seq=run.seq + 2)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch"), answer.text[:300]
    assert answer.json()["records"] == [1]
    assert sentence in answer.json()["errors"][0]
    run.send(good)
    assert run.row()["values"] == {"good": 1}


def test_a_record_that_no_decoder_can_read_is_still_the_only_one_that_is_rejected(server: Server) -> None:
    run = Writing(server)
    text = "[" * 100_000 + "]" * 100_000
    fields = f'"session": "{run.session}", "writer": "{run.writer}", "seq": {run.seq + 2}'
    found = [f'{{"type": "values", "values": {{{value}}}}}' for value in (f'"a": {text}', "")]
    body = f'{{{fields}, "records": [{", ".join(found)}]}}'
    answer = server.request("POST", "/api/v2/batches", data=body)
    assert (answer.status_code, answer.json().get("records")) == (422, [0]), answer.text[:300]


def test_values_of_a_session_are_limited_in_all(server: Server) -> None:
    run = Writing(server)
    large = records.values_record({"a": "x" * 600_000})
    run.send(large)
    answer = server.post_batch(
        run.session, [large, records.values_record({"b": "x" * 600_000})], writer=run.writer, seq=run.seq + 2
    )
    assert (answer.status_code, answer.json()["records"]) == (422, [1])
    assert "the values of a session take at most 1,048,576 bytes" in answer.json()["errors"][0]
    run.send(records.values_record({"a": "small"}), records.values_record({"b": "x" * 600_000}))
    assert set(run.row()["values"]) == {"a", "b"}


def test_numbers_of_any_size_are_stored_and_sorted_by(server: Server) -> None:
    project = records.new_id()
    for value in (2**64, -(10**400), 10**400, 1):
        run = Writing(server, project=project, params={"n": value})
        run.send(records.values_record({"v": value}))
    for sort in ("params.n", "values.v", "-values.v"):
        rows = server.get("/api/v2/sessions", sort=sort, project=project)["sessions"]
        assert sorted(map(str, (row["values"]["v"] for row in rows))) == sorted(
            ["1", str(2.0**64), "Infinity", "-Infinity"]
        )


def test_dropped_points_are_counted_up_to_what_a_column_holds(server: Server) -> None:
    run = Writing(server)
    most = 2**63 - 1
    run.end(dropped=most)
    run.end(dropped=most)
    assert run.row()["dropped"] == most
    assert server.signed_in().get(f"{server.url}/s/{run.session}/details", timeout=30).status_code == 200


def test_long_texts_of_other_records_are_cut(server: Server) -> None:
    run = Writing(server)
    run.send(records.image_record("s" * 5_000, 1, "i" * 5_000, "0" * 64, None, None, {}, {"good": True, "n": 3}))
    run.end("failed", reason="r" * 5_000, error={"type": "E", "message": "m" * 500_000})
    row = run.row()
    [image] = row["images"]
    assert len(image["sequence"]) == len(image["image_id"]) == len(row["reason"]) == limits.MAX_NAME_LENGTH
    assert image["metrics"] == {"good": True, "n": 3}
    assert len(row["error"]["message"]) == 100_000


def test_a_large_body_that_is_nested_too_deeply_is_to_be_split(server: Server) -> None:
    run = Writing(server)
    half = json_body.MAX_CUT_BYTES // 2
    fields = f'"session": "{run.session}", "writer": "{run.writer}", "seq": {run.seq + 1}'
    body = f'{{{fields}, "records": [{{"type": "session", "params": {{"a": {"[" * half + "]" * half}}}}}]}}'
    answer = server.request("POST", "/api/v2/batches", data=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), answer.text[:300]
    answer = server.request("POST", "/api/v1/sessions", data=body)
    assert (answer.status_code, answer.json()["success"]) == (413, False)
