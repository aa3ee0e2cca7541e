"""Metric names of a graph: any sets of them, in any order, new ones at any time, and their limits."""

from __future__ import annotations

import random
from typing import Any

from losswise_server.points.incoming import MAX_NAME_SETS
from sqlalchemy import text

from losswise.protocol import limits, records
from tests.support.batches import Writing
from tests.support.database.rows import database, key_of
from tests.support.server import Server


def test_points_with_any_set_of_names_are_stored(server: Server) -> None:
    """A script may log the accuracy of the classes in each batch: thousands of sets are possible."""
    run = Writing(server)
    graph = run.graph()
    chance = random.Random(5)
    names = [f"class {number}" for number in range(14)]
    expected: dict[str, list[tuple[int, float]]] = {}
    for x in range(150):
        mine = chance.sample(names[: 4 + x // 15], chance.randint(1, 4))
        values = {name: [chance.random()] for name in mine}
        run.points(graph, [x], **values)
        for name in mine:
            expected.setdefault(name, []).append((x, values[name][0]))
    stored = server.points(graph)
    assert {name: list(zip(line["x"], line["y"], strict=True)) for name, line in stored.items()} == expected
    shown = server.get("/api/v2/series", graph=graph, width=20)["graphs"][graph]
    assert not shown["exact"]
    for name, line in shown["series"].items():
        assert max(line["max"]) == max(y for _, y in expected[name])
        assert min(line["min"]) == min(y for _, y in expected[name])
    with database(server) as connection:
        query = text("SELECT name_sets FROM graphs WHERE session_key = :key")
        name_sets = connection.execute(query, {"key": key_of(server, run.session)}).scalar_one()
    count = len(name_sets) if isinstance(name_sets, list) else name_sets.count("[") - 1
    # beyond the limit, one set of all names for each new name
    assert MAX_NAME_SETS <= count <= MAX_NAME_SETS + len(names)


def test_known_name_sets_are_used_again(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    for x in range(20):
        run.points(graph, [x], **({"a": [1.0], "b": [2.0]} if x % 2 else {"b": [3.0]}))
    with database(server) as connection:
        query = text("SELECT CAST(names AS TEXT), CAST(name_sets AS TEXT) FROM graphs WHERE session_key = :key")
        names, name_sets = connection.execute(query, {"key": key_of(server, run.session)}).one()
    assert (names.replace(" ", ""), name_sets.replace(" ", "")) == ('["b","a"]', "[[0],[0,1]]")


def test_the_names_of_a_graph_are_limited(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    most = limits.MAX_NAMES
    run.points(graph, [0], **{f"name {number}": [1.0] for number in range(most)})
    record = records.points_record(graph, [1], [1.0], {"one more": [1.0]})
    answer = server.post_batch(run.session, [record], writer=run.writer, seq=run.seq + 1)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch")
    assert answer.json()["errors"] == ["a graph has at most 1,000 names, and a session 20,000"]
    run.points(graph, [1], **{"name 7": [2.0]})
    row: Any = run.row()
    assert len(row["graphs"][0]["names"]) == most
    assert row["graphs"][0]["stats"]["name 7"]["last"] == 2.0


def test_the_graphs_of_a_session_are_limited(server: Server) -> None:
    run = Writing(server)
    most = limits.MAX_GRAPHS
    titles = [f"graph {number}" for number in range(most + 1)]
    made = [records.graph_record(records.graph_id(run.session, title), title) for title in titles]
    run.send(*made[:most])
    answer = server.post_batch(run.session, [made[most]], writer=run.writer, seq=run.seq + 1)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch")
    assert answer.json()["errors"] == [f"a session has at most {most:,} graphs; this is one too many"]
    run.send(made[0])  # a known one
    assert len(run.row()["graphs"]) == most
