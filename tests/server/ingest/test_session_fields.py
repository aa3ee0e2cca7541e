"""A session record is never rejected: what does not fit is cut, becomes a text or is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from losswise_server.ingest import session_fields
from losswise_server.sessions.bounded_map import BoundedMap

from losswise.protocol import limits, records
from tests.support.batches import Writing
from tests.support.server import Server


def nested(levels: int, inner: Any = 1) -> Any:
    """Lists in lists. Built in a loop, as everything here that is deep."""
    value = inner
    for _ in range(levels):
        value = [value]
    return value


def levels_of(value: Any) -> int:
    levels = 0
    while isinstance(value, (list, dict)):
        value = (list(value.values()) if isinstance(value, dict) else value)[0]
        levels += 1
    return levels


SENSELESS: list[Any] = [0, -1, -0.5, 2**63, 2.0**63, 10**400, "", "many", "nan", "-3", "1e999", True, False, None]
SENSELESS += [[], [5], {}, "NaN", "Infinity", float("inf")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (100, 100),
        (100.5, 101),
        (0.2, 1),
        (2.0**62, 2**62),
        ("100", 100),
        (" 12.5 ", 13),
        ("9223372036854775807", 2**63 - 1),
        *((senseless, None) for senseless in SENSELESS),
    ],
)
def test_max_iter(given: Any, expected: int | None) -> None:
    assert session_fields.max_iter(given) == expected


FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_iter": 100.5}, {"max_iter": 101}),
    ({"max_iter": -1}, {"max_iter": None}),
    ({"max_iter": [1]}, {"max_iter": None}),
    ({"max_iter": 2**64}, {"max_iter": None}),
    ({"tag": 5}, {"tag": "5"}),
    ({"tag": ["a", 1]}, {"tag": '["a",1]'}),
    ({"tag": True}, {"tag": "true"}),
    ({"group": {"a": 1}}, {"group": '{"a":1}'}),
    ({"tags": ["a", 1, None, ["b"], "a"]}, {"tags": ["a", "1", "null", '["b"]']}),
    ({"tags": "one"}, {"tags": ["one"]}),
    ({"tags": {"a": 1}}, {"tags": ['{"a":1}']}),
    ({"params": [1, 2]}, {"params": {"params": [1, 2]}}),
    ({"params": "text"}, {"params": {"params": "text"}}),
    ({"params": []}, {"params": {}}),
    ({"params": {"big": 2**70, "n": -(2**70)}}, {"params": {"big": 2.0**70, "n": -(2.0**70)}}),
    ({"params": {"huge": 10**400}}, {"params": {"huge": "Infinity"}}),
    ({"git": {"diff": 5, "branch": ["main"], "commit": None}}, {"git": {"diff": "5", "branch": '["main"]'}}),
    ({"git": "a diff"}, {"git": {"diff": "a diff"}}),
    ({"env": {"a": 1, "b": True, "c": ["x"], "d": "y"}}, {"env": {"a": 1, "b": True, "c": '["x"]', "d": "y"}}),
    ({"env": ["x"]}, {"env": {"env": '["x"]'}}),
    ({"info": {"note": ["x"], "other": 1}}, {"info": {"note": '["x"]', "other": "1"}}),
    ({"project": ""}, {"project": "default"}),
    ({"project": "  "}, {"project": "default"}),
    ({"project": 5}, {"project": "default"}),
    ({"project": ["x"]}, {"project": "default"}),
    ({"project": "p" * 5_000}, {"project": "p" * 200}),
]


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize(("given", "expected"), FIELDS, ids=[str(number) for number in range(len(FIELDS))])
def test_a_field_of_another_type_is_made_one_of_the_right_type(
    server: Server, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    run = Writing(server, **given)
    row = run.row()
    assert {name: row[name] for name in expected} == expected
    # the same in a record that comes later, and beside what is good
    later = Writing(server, tag="good", params={"kept": 1})
    later.send(records.session_record(**given), records.values_record({"v": 1}))
    row = later.row()
    assert row["values"] == {"v": 1}
    assert row["params"]["kept"] == 1
    for name, value in expected.items():
        if name not in ("project", "max_iter", "params"):
            assert row[name] == value
    assert server.signed_in().get(f"{server.url}/s/{later.session}/details", timeout=30).status_code == 200


@pytest.mark.parametrize("created_at", [-1, 1e300, "yesterday", True, [], 2**63])
def test_an_impossible_time_of_creation_is_that_of_arrival(server: Server, created_at: Any) -> None:
    run = Writing(server, created_at=created_at)
    row = run.row()
    assert abs(row["created_at"] - row["updated_at"]) < 60


@pytest.mark.parametrize("levels", [20, 63, 64, 65, 100, 970, 5_000, 200_000])
def test_params_of_any_depth(server: Server, levels: int) -> None:
    text = "[" * levels + "1" + "]" * levels
    session = records.new_id()
    body = f'{{"session": "{session}", "records": [{{"type": "session", "tag": "deep", "params": {{"good": 2, "deep": '
    answer = server.request("POST", "/api/v2/batches", data=(body + text + "}}]}").encode())
    assert answer.status_code == 200, answer.text
    params = server.session(session)["params"]
    assert params["good"] == 2
    # the object of all params is a level, too
    assert levels_of(params["deep"]) == min(levels, limits.MAX_JSON_DEPTH - 1)
    if levels < limits.MAX_JSON_DEPTH:
        assert params["deep"] == nested(levels)


def test_texts_that_are_too_long_are_cut_with_a_note(server: Server) -> None:
    diff = "+ä" * limits.MAX_TEXT_LENGTH
    run = Writing(server, git={"diff": diff}, tag="t" * 20_000, info={"note": "n" * 2_000_000}, tags=["x" * 600])
    row = run.row()
    assert len(row["git"]["diff"]) == limits.MAX_TEXT_LENGTH
    assert row["git"]["diff"].startswith("+ä+ä")
    assert row["git"]["diff"].endswith(f"… [cut: {len(diff)} characters]")
    assert len(row["tag"]) == session_fields.MAX_LABEL_CHARS
    assert row["tag"].endswith("[cut: 20000 characters]")
    assert len(row["info"]["note"]) == limits.MAX_TEXT_LENGTH
    assert len(row["tags"][0]) == limits.MAX_NAME_LENGTH


def test_params_that_are_too_large_are_cut_and_the_others_stay(server: Server) -> None:
    run = Writing(server, params={"first": 1, "large": "x" * 2_000_000, "last": [1, 2]})
    params = run.row()["params"]
    assert (params["first"], params["last"]) == (1, [1, 2])
    assert len(params["large"]) <= 1_000
    for number in range(4):
        run.send(records.session_record(params={f"p{number}": "y" * 300_000, "last": number}))
    params = run.row()["params"]
    assert params["last"] == 3
    assert [len(params[f"p{number}"]) for number in range(4)] == [300_000, 300_000, 300_000, 1_000]
    assert len(json.dumps(params)) <= limits.MAX_PARAMS_BYTES + 1_000


def test_more_params_than_there_is_room_for_are_noted() -> None:
    params = BoundedMap({"a": 1}, max_bytes=100)
    params.update_with_cuts({f"name {number}": number for number in range(50)})
    assert params.values["a"] == 1
    assert params.values["name 0"] == 0
    assert "name 49" not in params.values
    assert params.values["…"] == "more was left out: there is room for 100 bytes"
    params.update_with_cuts({"a": 2, "name 0": None, "name 1": 7})
    assert [params.values[name] for name in ("a", "name 0", "name 1")] == [2, 0, 7]


def test_long_labels_of_a_graph_are_cut_and_its_id_stays(server: Server) -> None:
    run = Writing(server)
    title = "loss " * 1_000
    graph = records.graph_id(run.session, title)
    run.send(records.graph_record(graph, title, xlabel="x" * 5_000))
    run.points(graph, [0], a=[1.0])
    [shown] = run.row()["graphs"]
    assert shown["id"] == graph
    assert shown["title"].startswith("loss loss ")
    assert len(shown["title"]) == len(shown["xlabel"]) == limits.MAX_NAME_LENGTH
    assert server.points(graph)["a"]["y"] == [1.0]
