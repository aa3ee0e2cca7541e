"""GET /api/v2/series: the data for charts of some width."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from losswise_server.api import finished, read
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.points import series
from losswise_server.points.store import OF_GRAPH
from sqlalchemy import select, text

from losswise.protocol import limits, records
from tests.support.application import DirectWriting, application
from tests.support.batches import Writing
from tests.support.database.postgres import Postgres
from tests.support.server import Server


def long_graph(server: Server, length: int = 20_000) -> tuple[str, list[Any]]:
    """A graph with a one-point spike, a NaN and an infinity, sent in batches of odd sizes, some of them late."""
    values: list[Any] = [math.sin(x / 100) for x in range(length)]
    values[7_777], values[12_345], values[15_000] = 1000.0, "NaN", "Infinity"
    run = Writing(server)
    graph = run.graph()
    late = range(3_000, 3_050)
    order = [x for x in range(length) if x not in late]
    for start in range(0, len(order), 1_733):
        xs = order[start : start + 1_733]
        run.points(graph, xs, a=[values[x] for x in xs], half=[None if x % 2 else 1.0 for x in xs])
    run.points(graph, list(late), a=[values[x] for x in late])
    return graph, values


def test_a_short_series_is_exact(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [3, 1, 2], [30.0, 10.0, 20.0], a=[3.0, "NaN", 2.0])
    found = server.get("/api/v2/series", graph=graph, width=100)["graphs"][graph]
    assert found["exact"] is True
    assert found["session"] == run.session
    assert found["series"]["a"] == {"x": [1, 2, 3], "t": [10.0, 20.0, 30.0], "y": ["NaN", 2.0, 3.0]}
    found = server.get("/api/v2/series", graph=graph, x0=2, x1=2)["graphs"][graph]
    assert found["series"]["a"]["x"] == [2]
    assert server.get("/api/v2/series", graph=graph, x0=10)["graphs"][graph]["series"] == {}


def test_a_long_series_keeps_every_extreme(server: Server) -> None:
    graph, values = long_graph(server)
    width = 400
    found = server.get("/api/v2/series", graph=graph, width=width)["graphs"][graph]
    assert found["exact"] is False
    columns = found["series"]["a"]
    assert width / 2 <= len(columns["x"]) <= width
    assert columns["x"] == sorted(columns["x"])
    assert max(value for value in columns["max"] if value is not None) == 1000.0
    assert (sum(columns["nan"]), sum(columns["inf"])) == (1, 1)
    # each bucket agrees with its points
    edges = [*columns["x"], len(values)]
    for place, (start, end) in enumerate(itertools.pairwise(edges)):
        finite = [value for value in values[start:end] if not isinstance(value, str)]
        assert columns["min"][place] == min(finite)
        assert columns["max"][place] == max(finite)
        assert columns["mean"][place] == pytest.approx(sum(finite) / len(finite))
        assert columns["nan"][place] == values[start:end].count("NaN")


def test_zoom_gives_finer_buckets_and_finally_points(server: Server) -> None:
    graph, values = long_graph(server)

    def zoom(x0: int, x1: int) -> Any:
        return server.get("/api/v2/series", graph=graph, x0=x0, x1=x1, width=100)["graphs"][graph]

    whole, part, few = zoom(0, 19_999), zoom(7_001, 9_003), zoom(7_700, 7_850)
    assert not whole["exact"]
    assert not part["exact"]
    xs = part["series"]["a"]["x"]
    assert 7_001 <= xs[0] <= xs[-1] <= 9_003
    assert xs[1] - xs[0] < whole["series"]["a"]["x"][1] - whole["series"]["a"]["x"][0]
    assert max(part["series"]["a"]["max"]) == 1000.0
    assert few["exact"]
    assert few["series"]["a"]["y"] == values[7_700:7_851]


def test_series_after_a_rewind(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    xs = list(range(5_000))
    run.points(graph, xs, [100.0] * 5_000, a=[float(x) for x in xs])
    run.send(records.rewind_record(2_499, 200.0))
    run.points(graph, xs[2_500:4_000], [300.0] * 1_500, a=[-1.0] * 1_500)
    columns = server.get("/api/v2/series", graph=graph, width=50)["graphs"][graph]["series"]["a"]
    assert max(columns["max"]) == 2_499.0
    assert min(columns["min"]) == -1.0
    assert columns["x"][-1] < 4_000


def test_negative_and_huge_x(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    xs = [-(2**63), -5, 0, 5, 2**63 - 1]
    run.points(graph, xs, a=[1.0, 2.0, 3.0, 4.0, 5.0])
    assert server.points(graph)["a"]["x"] == xs
    found = server.get("/api/v2/series", graph=graph)["graphs"][graph]
    assert found["series"]["a"]["x"] == xs
    dense = list(range(-3_000, 3_000))
    other = run.graph("dense")
    run.points(other, dense, a=[float(x) for x in dense])
    columns = server.get("/api/v2/series", graph=other, width=100)["graphs"][other]["series"]["a"]
    assert (min(columns["min"]), max(columns["max"])) == (-3_000.0, 2_999.0)


def test_several_graphs_in_one_request(server: Server) -> None:
    run = Writing(server)
    first, second = run.graph("first"), run.graph("second")
    run.points(first, [0], a=[1.0])
    run.points(second, [0], a=[2.0])
    found = server.get("/api/v2/series", graph=[first, second])["graphs"]
    assert [found[graph]["series"]["a"]["y"] for graph in (first, second)] == [[1.0], [2.0]]
    assert found[first]["version"] == run.row()["version"]


def test_the_series_of_a_finished_session_is_not_sent_again(server: Server) -> None:
    run = Writing(server)
    graph, other = run.graph(), run.graph("accuracy")
    run.points(graph, list(range(5_000)), a=[x / 7 for x in range(5_000)])
    run.points(other, [1], b=[2.0])

    def ask(tag: str | None = None, **more: Any) -> Any:
        asked = {"graph": [graph, other], "width": 500, **more}
        headers = {} if tag is None else {"If-None-Match": tag}
        return server.request("GET", "/api/v2/series", params=asked, headers=headers)

    live = ask()
    assert "ETag" not in live.headers
    assert live.headers["Cache-Control"] == "no-store"
    run.end()
    done = ask()
    tag = done.headers["ETag"]
    again = ask(tag)
    assert (again.status_code, again.content) == (304, b"")
    assert ask(tag, width=600).status_code == 200
    assert ask(tag, x0=3).json()["graphs"][graph]["series"]["a"]["x"][0] == 3
    run.points(graph, [5_000], a=[1e9])  # the session goes on
    assert ask(tag).status_code == 200
    run.end()
    newest = ask(tag)
    assert newest.headers["ETag"] != tag
    assert max(newest.json()["graphs"][graph]["series"]["a"]["max"]) == 1e9


def test_a_series_fits_its_width(server: Server) -> None:
    """One metric at 1,000 pixels takes at most 60 kB, compressed."""
    run = Writing(server)
    graph = run.graph()
    chance = random.Random(3)
    count = 40_000
    for start in range(0, count, 20_000):
        xs = list(range(start, start + 20_000))
        run.points(graph, xs, [1.7e9 + x * 0.0137 for x in xs], a=[chance.gauss(0, 1) for _ in xs])
    answer = requests.get(
        f"{server.url}/api/v2/series",
        params={"graph": graph, "width": "1000"},
        headers={"Authorization": server.api_key},
        stream=True,
        timeout=30,
    )
    sent = answer.raw.read()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(sent) <= 60_000
    found = json.loads(gzip.decompress(sent))["graphs"][graph]
    assert 500 <= len(found["series"]["a"]["x"]) <= 1_000


def test_the_most_graphs_fit_into_a_request_line(server: Server) -> None:
    run = Writing(server)
    titles = [f"graph {number}" for number in range(read.MAX_GRAPHS)]
    graphs = [records.graph_id(run.session, title) for title in titles]
    run.send(*[records.graph_record(id_, title) for id_, title in zip(graphs, titles, strict=True)])
    asked = {"x0": limits.INT64_MIN, "x1": limits.INT64_MAX, "width": 10_000}
    assert len(server.get("/api/v2/series", graph=graphs, **asked)["graphs"]) == read.MAX_GRAPHS
    answer = server.request("GET", "/api/v2/series", params={"graph": [*graphs, run.graph("one more")]})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


class Reader:
    """The application in this process, with one graph and limits that few values reach."""

    def __init__(self, client: FlaskClient, names: int, places: int) -> None:
        self.client = client
        self.run = DirectWriting()
        self.graph = self.run.graph()
        xs = list(range(places))
        columns = {f"n{number}": [0.5] * places for number in range(names)}
        self.run.send(records.points_record(self.graph, xs, [1.0] * places, columns))

    def get(self, path: str, tag: str = "", **asked: Any) -> Any:
        headers = {"Authorization": "lw_in_process", "If-None-Match": tag}
        return self.client.get("/api/v2" + path, query_string=asked, headers=headers)

    def places(self, **asked: Any) -> int:
        series = self.get("/series", graph=self.graph, **asked).json["graphs"][self.graph]["series"]
        return max(len(columns["x"]) for columns in series.values())


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    monkeypatch.setattr(read, "MAX_VALUES", 20_000)
    with application(tmp_path, None) as app:
        yield app.test_client()


def test_a_response_gets_narrower_before_it_gets_too_large(client: FlaskClient) -> None:
    reader = Reader(client, names=10, places=6_000)
    assert 500 <= reader.places(width=10_000) <= 1_000
    assert reader.places(width=10_000, x0=0, x1=1_999) == 2_000  # every point, if they are few
    assert 50 <= reader.places(width=100) <= 100


def test_too_many_names_for_any_width_are_rejected(client: FlaskClient) -> None:
    reader = Reader(client, names=1_000, places=50)
    assert 5 <= reader.places() <= series.MIN_WIDTH
    more = reader.run.graph("one more")
    reader.run.send(records.points_record(more, [1], [1.0], {"a": [1.0]}))
    answer = reader.get("/series", graph=[reader.graph, more])
    assert (answer.status_code, answer.json["code"]) == (413, "too_large")
    assert "1001 names" in answer.json["error"]


def test_pages_of_points_are_shorter_with_many_names(client: FlaskClient) -> None:
    reader = Reader(client, names=10, places=3_000)
    page = reader.get(f"/graphs/{reader.graph}/points", limit=100_000).json
    assert len(page["series"]["n0"]["x"]) == 2_000
    rest = reader.get(f"/graphs/{reader.graph}/points", limit=100_000, cursor=page["next"]).json
    assert page["series"]["n0"]["x"] + rest["series"]["n0"]["x"] == list(range(3_000))
    assert rest["next"] is None


def test_another_release_has_another_etag(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(client, names=1, places=3)
    reader.run.send(records.status_record("complete", 2.0))
    tag = reader.get("/series", graph=reader.graph).headers["ETag"]
    assert reader.get("/series", tag, graph=reader.graph).status_code == 304
    monkeypatch.setattr(finished, "__version__", "another")
    assert reader.get("/series", tag, graph=reader.graph).status_code == 200


def test_only_as_many_rows_are_read_as_a_chart_needs(tmp_path: Path, postgres: Postgres) -> None:
    """PostgreSQL has no statistics yet about a new graph, and would sort all of its points."""
    with application(tmp_path, postgres.new_database()):
        run = DirectWriting()
        graph = run.graph()
        xs = list(range(100_000))
        run.send(records.points_record(graph, xs, [1.0] * len(xs), {"a": [0.5] * len(xs)}))
        with reading(in_order=True) as connection:
            key = connection.execute(select(Session.key)).scalar_one()
            words = f"SELECT x FROM points WHERE {OF_GRAPH} ORDER BY x LIMIT 2001"
            plan = connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {words}"), {"session_key": key, "graph": 1})
            [limit] = plan.scalar_one()[0]["Plan"]["Plans"]
    assert limit["Node Type"] in ("Index Scan", "Index Only Scan")
    assert limit["Actual Rows"] == 2001
