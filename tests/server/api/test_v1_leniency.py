"""A v1 client has no answer to a refusal: its session is always made, and what is bad harms nothing beside it."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from typing import Any

import pytest
from losswise_server.api import v1_points, v1_writing
from losswise_server.api.v1_refusals import Refusals

from losswise.protocol import limits
from tests.server.api.test_v1 import PNG, call, new_graph, new_session, point, taken
from tests.server.ingest.test_session_fields import FIELDS
from tests.support.server import Server

MOST = limits.MAX_NAMES

# sessions


@pytest.mark.parametrize(
    ("max_iter", "expected"),
    [
        ("100.5", 101),
        ('"100"', 100),
        *((senseless, None) for senseless in ("-1", "NaN", "Infinity", "-Infinity", str(2**63), "1" * 5_000, "1e30")),
        *((senseless, None) for senseless in ("true", "[]", "{}", "0", "null")),
    ],
)
def test_a_session_with_any_max_iter_is_made(server: Server, max_iter: str, expected: int | None) -> None:
    answer = server.request("POST", "/api/v1/sessions", data=f'{{"tag": "x", "max_iter": {max_iter}}}')
    assert (answer.json()["success"], answer.json()["error"]) == (True, ""), answer.text
    session = answer.json()["session_id"]
    assert server.session(session)["max_iter"] == expected
    taken(server, "POST", "/points", point(session, new_graph(server, session), 0, {"a": 1.0}))


@pytest.mark.parametrize("number", [number for number, (given, _) in enumerate(FIELDS) if "project" not in given])
def test_a_session_with_any_description_is_made(server: Server, number: int) -> None:
    given, expected = FIELDS[number]
    session = taken(server, "POST", "/sessions", {"tag": "x", **given})["session_id"]
    row = server.session(session)
    assert row["protocol"] == 1
    for name, value in expected.items():
        if name not in ("group", "tags") and given != {"env": ["x"]}:
            assert row[name] == value


@pytest.mark.parametrize("levels", [64, 970, 100_000])
def test_a_session_with_params_of_any_depth_is_made(server: Server, levels: int) -> None:
    deep = "[" * levels + "1, NaN" + "]" * levels
    fields = ", ".join(f'"{name}": {{"a": 1, "b": {deep}}}' for name in ("params", "git", "env", "info"))
    answer = server.request("POST", "/api/v1/sessions", data=f'{{"tag": {deep}, {fields}, "max_iter": {deep}}}')
    assert (answer.json()["success"], answer.json()["error"]) == (True, ""), answer.text
    row = server.session(answer.json()["session_id"])
    assert (row["params"]["a"], row["git"]["a"], row["env"]["a"], row["info"]["a"]) == (1, "1", 1, "1")


def test_a_session_with_a_large_description_is_made(server: Server) -> None:
    long = "x" * 3_000_000
    body = {"tag": long, "params": {"a": 1, "long": long}, "git": {"diff": long, "url": ["https://me:secret@host/x"]}}
    row = server.session(taken(server, "POST", "/sessions", {**body, "info": {"n": long}})["session_id"])
    assert row["params"]["a"] == 1
    assert row["git"]["diff"].endswith(f"… [cut: {len(long)} characters]")
    assert "secret" not in row["git"]["url"]


# graphs


def test_a_graph_is_made_whatever_its_texts_are(server: Server) -> None:
    session = new_session(server)
    for fields in (
        {"title": "t" * 5_000, "xlabel": ["x"], "ylabel": 5, "kind": "median"},
        {"title": None, "xlabel": "x" * 5_000},
        {"title": ["loss", 1], "kind": ["min"]},
        {"title": {"a": [1]}, "kind": "min"},
    ):
        graph = taken(server, "POST", "/graphs", {"session_id": session, **fields})["graph_id"]
        taken(server, "POST", "/points", point(session, graph, 0, {"a": 1.0}))
        assert server.points(graph)["a"]["y"] == [1.0]
    graphs = server.session(session)["graphs"]
    assert [len(graph["title"]) for graph in graphs] == [500, 0, 10, 9]
    assert [graph["kind"] for graph in graphs] == [None, None, None, "min"]


@pytest.mark.full
def test_a_graph_too_many_has_an_id_and_is_told(server: Server) -> None:
    session = new_session(server)
    for number in range(limits.MAX_GRAPHS):
        new_graph(server, session, f"graph {number}")
    body = {"session_id": session, "title": "one more"}
    result = call(server, "POST", "/graphs", body)
    assert result["success"]
    assert f"a session has at most {limits.MAX_GRAPHS:,} graphs" in result["error"]
    told = call(server, "POST", "/points", point(session, result["graph_id"], 0, {"a": 1.0}))
    assert told["success"]
    assert "this session has no such graph" in told["error"]


# points


def bad_points(session: str, graph: str) -> list[tuple[Any, str]]:
    """A point that cannot be stored whole, and what is told of it."""
    good = point(session, graph, 7, {"a": 1.0})
    return [
        ({**good, "x": "one"}, "'x' must be a whole number"),
        ({**good, "x": 0.5}, "'x' must be a whole number"),
        ({**good, "x": None}, "'x' must be a whole number"),
        ({**good, "x": True}, "'x' must be a whole number"),
        ({**good, "x": 2**63}, "'x' must be a whole number"),
        ({**good, "y": [1.0]}, "'y' must be an object of numbers"),
        ({**good, "y": {"a": "high"}}, "value 'a': it is not a number"),
        ({**good, "y": {"a": [1.0]}}, "value 'a': it is not a number"),
        ({**good, "session_id": "0" * 20}, "there is no session " + "0" * 20),
        ({**good, "session_id": 5}, "'session_id' is missing"),
        ({**good, "graph_id": "0" * 20}, "graph " + "0" * 20 + ": this session has no such graph"),
        ({**good, "graph_id": None}, "'graph_id' is missing"),
        ({**good, "y": {f"n{number}": 1.0 for number in range(MOST + 5)}}, f"a graph has at most {MOST:,} names"),
        (17, "it must be an object"),
        ([], "it must be an object"),
    ]


@pytest.mark.parametrize("number", range(15))
def test_a_bad_point_is_told_and_its_neighbours_are_stored(server: Server, number: int) -> None:
    session, other = new_session(server), new_session(server)
    graph, second, third = new_graph(server, session), new_graph(server, session, "acc"), new_graph(server, other)
    bad, told = bad_points(session, graph)[number]
    points = [
        point(session, graph, 0, {"a": 1.0}),
        point(session, second, 1, {"b": 2.0}),
        bad,
        point(other, third, 2, {"c": 3.0}),
        point(session, graph, 3, {"a": 4.0}),
    ]
    result = call(server, "POST", "/point-list", {"point_list": points, "stats_map": {}})
    assert result["success"]
    assert told in result["error"]
    assert "point 3 of 5" in result["error"] or "there is no session" in told
    assert {(x, y) for x, y in zip(*(server.points(graph)["a"][name] for name in "xy"), strict=True)} >= {
        (0, 1.0),
        (3, 4.0),
    }
    assert server.points(second)["b"]["y"] == [2.0]
    assert server.points(third)["c"]["y"] == [3.0]


@pytest.mark.parametrize("number", [0, 4, 6, 10, 12])
def test_a_bad_point_in_a_call_of_its_own_is_told(server: Server, number: int) -> None:
    session = new_session(server)
    graph = new_graph(server, session)
    bad, told = bad_points(session, graph)[number]
    result = call(server, "POST", "/points", bad)
    assert result["success"]
    assert told in result["error"]
    taken(
        server, "POST", "/points", point(session, graph, 0, {"a": 1.0}) if number != 12 else {**bad, "y": {"n0": 2.0}}
    )


@pytest.mark.full
def test_a_session_whose_names_are_used_up_takes_points_of_those(
    own_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = new_session(own_server)
    for first in range(0, limits.MAX_SESSION_NAMES, MOST):
        y = {f"n{number}": 1.0 for number in range(MOST - (first == 0))}
        taken(own_server, "POST", "/points", point(session, new_graph(own_server, session, f"graph {first}"), 0, y))
    graph = new_graph(own_server, session, "graph 0")
    points = [point(session, graph, x, {"n0": float(x)}) for x in range(1, 10)]
    points.append(point(session, graph, 10, {"n0": 10.0, "one more": 1.0, "one too many": 1.0}))
    answer = call(own_server, "POST", "/point-list", {"point_list": points})
    assert answer["success"]
    assert "name 'one too many': a graph has at most 1,000 names, and a session 20,000" in answer["error"]
    stored = own_server.points(graph)
    assert stored["n0"]["x"] == list(range(11))
    assert stored["one more"]["x"] == [10]


def test_what_fits_of_a_point_is_stored(server: Server) -> None:
    session = new_session(server)
    graph, long = new_graph(server, session), "n" * 600
    taken(server, "POST", "/points", point(session, graph, 0, {long: 1.0, "a": True, "b": None}))
    mixed = {"a": "high", "b": 2.0, "c": {"d": 1}}
    assert "'a': it is not a number" in call(server, "POST", "/points", point(session, graph, 1, mixed))["error"]
    many = {f"n{number}": float(number) for number in range(MOST + 5)}
    assert "at most 1,000 names" in call(server, "POST", "/points", point(session, graph, 2, many))["error"]
    stored = server.points(graph)
    assert len(stored) == MOST
    [cut] = [name for name in stored if name.startswith("nnn")]
    assert len(cut) == limits.MAX_NAME_LENGTH
    assert (stored["a"]["y"], stored["b"]["y"], stored["n0"]["y"]) == ([1.0], [2.0], [0.0])


@pytest.mark.full
def test_a_list_of_many_points_is_stored_in_parts(server: Server) -> None:
    """Of two graphs, one of which has hundreds of names in turn."""
    session = new_session(server)
    graph, sparse = new_graph(server, session), new_graph(server, session, "sparse")
    points = [point(session, graph, x, {"a": float(x), "b": -float(x)}) for x in range(limits.MAX_BATCH_POINTS // 2)]
    points += [point(session, sparse, x, {f"n{x % 300}": float(x)}) for x in range(1_000)]
    body = json.dumps({"point_list": points, "stats_map": {}})
    answer = server.request("POST", "/api/v1/point-list", data=body)
    assert answer.json() == {"success": True, "error": ""}
    row = server.session(session)
    assert row["points"] == len(points)
    assert row["stats"]["a"]["count"] == limits.MAX_BATCH_POINTS // 2
    assert row["stats"]["n7"] == {"min": 7.0, "max": 907.0, "last": 907.0, "count": 4}


def test_a_part_that_is_too_much_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a single record, down to the point that is too much by itself."""
    from losswise_server.exceptions import ApiError, BadBatch

    stored: list[tuple[list[int], list[float]]] = []

    def apply(batch: Any, access: Any, protocol: int) -> None:
        if any(record.x == [13] for record in batch.records):
            raise ApiError(413, "too_large", "this point is too much")
        if sum(len(record.x) for record in batch.records) > 3:
            raise ApiError(413, "too_large", "too many")
        bad = [(index, "bad") for index, record in enumerate(batch.records) if 5 in record.x]
        if bad:
            raise BadBatch(bad, len(batch.records))
        stored.extend((record.x, record.y["a"]) for record in batch.records)

    monkeypatch.setattr(v1_writing.pipeline, "apply", apply)
    records = [
        {"type": "points", "graph": "0" * 20, "x": xs, "t": [1.0] * len(xs), "y": {"a": [float(x) for x in xs]}}
        for xs in ([0, 1, 2, 3, 4, 5, 6], [7, 8], [9], [13])
    ]
    refusals = Refusals()
    v1_writing.store(None, "s" * 20, records, refusals)
    assert sorted(x for xs, _ in stored for x in xs) == [0, 1, 2, 3, 4, 7, 8, 9]
    assert all(ys == [float(x) for x in xs] for xs, ys in stored)
    assert [(refusal.session, refusal.reason) for refusal in refusals] == [
        ("s" * 20, "bad"),
        ("s" * 20, "this point is too much"),
    ]


def test_sparse_points_take_little_memory() -> None:
    names: dict[str, list[str]] = {"g": []}
    entries = [
        {"session_id": "s", "graph_id": "g", "x": x, "time": 1.0, "y": {f"n{x % 1_000}": 1.0}} for x in range(5_000)
    ]
    refusals = Refusals()
    room = v1_points.NameRoom(lambda: 0)
    found = list(v1_points.to_records(v1_points.read(entries, 1.0, refusals), names, room, refusals))
    assert refusals == []
    assert all(len(record["x"]) * len(record["y"]) <= v1_points.MAX_RECORD_VALUES for record in found)
    assert [x for record in found for x in record["x"]] == list(range(5_000))


def test_only_some_refusals_are_told_in_words() -> None:
    refusals = Refusals()
    assert refusals.message() == ""
    for number in range(5):
        refusals.note("s", f"point {number}", "r" * 1_000)
    assert refusals.message().startswith("not stored: point 0: rrr")
    assert refusals.message().endswith("; and 2 more")
    assert len(refusals.message()) < 1_000


# values and images


def test_values_of_any_kind_are_stored(server: Server) -> None:
    session = new_session(server)
    deep = "[" * 500 + "1" + "]" * 500
    body = f'{{"session_id": "{session}", "values": {{"deep": {deep}, "{"n" * 600}": NaN, "a": [1], "text": "x"}}}}'
    answer = server.request("POST", "/api/v1/values", data=body)
    assert (answer.json()["success"], answer.json()["error"]) == (True, ""), answer.text
    values = server.session(session)["values"]
    [cut] = [name for name in values if name.startswith("nnn")]
    assert (values["a"], values["text"], values[cut], len(cut)) == ([1], "x", "NaN", limits.MAX_NAME_LENGTH)
    taken(
        server, "POST", "/values", {"session_id": session, "values": {f"v{number}": number for number in range(2_500)}}
    )
    assert len(server.session(session)["values"]) == 2_504
    taken(server, "POST", "/values", {"session_id": session, "values": {"large": "x" * 2_000_000, "small": 1}})
    values = server.session(session)["values"]
    assert (values["small"], len(values["large"])) == (1, 1_000)


def test_images_with_any_fields_are_stored(server: Server) -> None:
    session = new_session(server)
    body = {"session_id": session, "name": "s" * 600, "x": 3.0, "type": "image"}
    sequence = taken(server, "POST", "/prediction-sequences", body)["prediction_sequence_id"]
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    large = PNG[:16] + struct.pack(">II", 2**32 - 1, 5) + PNG[24:]
    image = {
        "prediction_sequence_id": sequence,
        "image": b64encode(large).decode(),
        "image_id": ["cat"],
        "outputs": {"deep": deep, "p": 0.5},
        "metrics": {"iou": 0.25, "list": [1], "text": "x", "n": 3, "none": None},
    }
    result = call(server, "POST", "/image-prediction", image)
    assert result["success"]
    assert "the metric 'list' of the image '[\"cat\"]': it is not a number" in result["error"]
    [shown] = server.session(session)["images"]
    assert (shown["image_id"], shown["width"], shown["height"]) == ('["cat"]', None, None)
    assert shown["metrics"] == {"iou": 0.25, "n": 3, "none": None}
    assert shown["outputs"]["p"] == 0.5
    for fields in ({"outputs": {"x": "y" * 2_000_000}, "metrics": []}, {"outputs": 5, "image_id": "i" * 600}):
        body = {"prediction_sequence_id": sequence, "image": b64encode(PNG).decode(), **fields}
        taken(server, "POST", "/image-prediction", body)
    assert [len(image["image_id"]) for image in server.session(session)["images"]] == [7, 0, 500]
    assert server.signed_in().get(f"{server.url}/s/{session}/details", timeout=30).status_code == 200
