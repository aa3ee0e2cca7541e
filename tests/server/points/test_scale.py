"""Large data: a thousand sessions in the list, a million points in a graph; some fewer in `make test`."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server

pytestmark = pytest.mark.full_on_postgresql

SESSIONS = 1_000
POINTS = 1_000_000
FEWER_POINTS = 200_000
SPIKE, NAN = 88_888, 155_555


def value(x: int) -> Any:
    if x == NAN:
        return "NaN"
    return 1_000.0 if x == SPIKE else math.exp(-x / 300_000) + 0.1 * math.sin(x)


@pytest.fixture(scope="module", params=[FEWER_POINTS, pytest.param(POINTS, marks=pytest.mark.full)])
def long_run(server: Server, request: pytest.FixtureRequest) -> tuple[str, str, int]:
    """The ids of a session and of its graph, and the number of its points."""
    run = Writing(server, tag="many points", project="scale")
    graph = run.graph()
    for start in range(0, request.param, 50_000):
        xs = list(range(start, start + 50_000))
        run.points(graph, xs, [1e9 + x / 1000 for x in xs], loss=[value(x) for x in xs])
    return run.session, graph, request.param


@pytest.mark.full
def test_a_thousand_sessions_sorted_by_the_server(server: Server) -> None:
    for number in range(SESSIONS):
        session, writer = records.new_id(), records.new_id()
        graph = records.graph_id(session, "loss")
        xs = list(range(20))
        loss = [(number * 37) % SESSIONS + 1 / (x + 1) for x in xs]
        batch = [
            records.session_record(tag=f"seed-{number:04}", project="thousand", params={"seed": number}),
            records.graph_record(graph, "loss", kind="min"),
            records.points_record(graph, xs, [time.time()] * 20, {"train_loss": loss}),
            records.status_record("complete", time.time()),
        ]
        assert server.post_batch(session, batch, writer=writer, seq=4).status_code == 200
    best = [number for _, number in sorted(((number * 37) % SESSIONS, number) for number in range(SESSIONS))]
    page = server.get("/api/v2/sessions", project="thousand", sort="min(train_loss)", limit=100)
    assert [session["params"]["seed"] for session in page["sessions"]] == best[:100]
    assert page["total"] == SESSIONS
    page = server.get("/api/v2/sessions", project="thousand", sort="-min(train_loss)", limit=100, cursor=None)
    assert [session["params"]["seed"] for session in page["sessions"]] == best[::-1][:100]
    second = server.get("/api/v2/sessions", project="thousand", sort="-min(train_loss)", limit=100, cursor=page["next"])
    assert [session["params"]["seed"] for session in second["sessions"]] == best[::-1][100:200]


def test_many_points_with_spike_and_nan(server: Server, long_run: tuple[str, str, int]) -> None:
    session, graph, points = long_run
    stat = server.session(session)["graphs"][0]["stats"]["loss"]
    assert (stat["count"], stat["max"], stat["max_x"], stat["nan"], stat["nan_x"]) == (
        points,
        1_000.0,
        SPIKE,
        1,
        NAN,
    )
    found = server.get("/api/v2/series", graph=graph, width=800)["graphs"][graph]
    columns = found["series"]["loss"]
    assert not found["exact"]
    assert 400 <= len(columns["x"]) <= 800
    assert max(columns["max"]) == 1_000.0
    assert sum(columns["nan"]) == 1
    place = columns["nan"].index(1)
    assert columns["x"][place] <= NAN < columns["x"][place + 1]


def test_zoom_down_to_the_points(server: Server, long_run: tuple[str, str, int]) -> None:
    _, graph, points = long_run

    def zoom(x0: int, x1: int) -> Any:
        return server.get("/api/v2/series", graph=graph, x0=x0, x1=x1, width=800)["graphs"][graph]

    spans = []
    for margin in (points * 3 // 10, 16_000, 3_000):
        found = zoom(max(0, SPIKE - margin), SPIKE + margin)
        columns = found["series"]["loss"]
        assert max(columns["max"]) == 1_000.0
        spans.append(columns["x"][1] - columns["x"][0])
    assert spans == sorted(spans, reverse=True)
    found = zoom(SPIKE - 300, SPIKE + 300)
    assert found["exact"]
    assert found["series"]["loss"]["y"] == [value(x) for x in range(SPIKE - 300, SPIKE + 301)]


def test_raw_points_page_by_page(server: Server, long_run: tuple[str, str, int]) -> None:
    _, graph, points = long_run
    limit = points // 10
    page = server.get(f"/api/v2/graphs/{graph}/points", limit=limit)
    seen = 0
    while True:
        xs = page["series"]["loss"]["x"]
        assert xs == list(range(seen, seen + len(xs)))
        seen += len(xs)
        if page["next"] is None or seen >= 3 * limit:
            break
        page = server.get(f"/api/v2/graphs/{graph}/points", limit=limit, cursor=page["next"])
    assert seen == 3 * limit
