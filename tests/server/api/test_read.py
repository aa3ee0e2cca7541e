"""The read API: filters, sorting, pages, points and series."""

from __future__ import annotations

import time
from typing import Any

import pytest

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server


@pytest.fixture(scope="module")
def project(server: Server) -> str:
    """A project of 25 sessions with known values, on each database."""
    name = "reading"
    for number in range(25):
        run = Writing(
            server,
            tag=f"run-{number:02}",
            project=name,
            created_at=1_700_000_000.0 + number,
            max_iter=100,
            params={"lr": number / 10, "optimizer": "adam" if number % 2 else "sgd"},
            group="even" if number % 2 == 0 else "odd",
        )
        if number % 5:  # every fifth has no loss
            run.points(run.graph(), [number], train_loss=[float((number * 7) % 25)])
        run.send(records.values_record({"score": -number}))
        run.end("complete" if number % 3 else "failed")
    return name


def tags(page: Any) -> list[str]:
    return [session["tag"] for session in page["sessions"]]


def walk(server: Server, **params: Any) -> list[str]:
    """All tags, page by page."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = server.get("/api/v2/sessions", **params, **cursor)
        found += tags(page)
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


def test_newest_first_page_by_page(server: Server, project: str) -> None:
    expected = [f"run-{number:02}" for number in reversed(range(25))]
    assert tags(server.get("/api/v2/sessions", project=project)) == expected
    assert walk(server, project=project, limit=4) == expected


def by(value: Any) -> list[str]:
    numbers = [number for number in range(25) if value(number) is not None]
    return [f"run-{number:02}" for number in sorted(numbers, key=value)]


@pytest.mark.parametrize(
    ("sort", "value"),
    [
        ("min(train_loss)", lambda n: (n * 7) % 25 if n % 5 else None),
        ("-max(train_loss)", lambda n: -((n * 7) % 25) if n % 5 else None),
        ("params.lr", lambda n: n),
        ("-params.lr", lambda n: -n),
        ("values.score", lambda n: -n),
        ("tag", lambda n: n),
        ("created_at", lambda n: n),
        ("-last_x", lambda n: -n if n % 5 else None),
    ],
)
def test_sorted_by_the_server_missing_values_last(server: Server, project: str, sort: str, value: Any) -> None:
    found = walk(server, project=project, sort=sort, limit=7)
    known = by(value)
    assert found[: len(known)] == known
    assert len(found) == len(set(found)) == 25


def test_text_params_sort_too(server: Server, project: str) -> None:
    found = walk(server, project=project, sort="params.optimizer", limit=6)
    assert [int(tag[-2:]) % 2 for tag in found] == [1] * 12 + [0] * 13


def test_search_and_status(server: Server, project: str) -> None:
    page = server.get("/api/v2/sessions", project=project, q="RUN-1 odd", sort="tag")
    assert tags(page) == ["run-11", "run-13", "run-15", "run-17", "run-19"]
    assert tags(server.get("/api/v2/sessions", project=project, q="optimizer=adam lr=0.5")) == ["run-05"]
    assert tags(server.get("/api/v2/sessions", project=project, q="%")) == []
    page = server.get("/api/v2/sessions", project=project, status="failed", limit=3)
    assert page["total"] == 9
    assert page["counts"] == {"active": 0, "complete": 16, "failed": 9, "cancelled": 0}
    assert {session["status"] for session in page["sessions"]} == {"failed"}


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("lr>=2.1", ["run-21", "run-22", "run-23", "run-24"]),
        ("lr<0.2 or lr>2.3", ["run-00", "run-01", "run-24"]),
        ("status=failed and not (lr<2.2)", ["run-24"]),
        ("values.score<-22", ["run-23", "run-24"]),
        ("run-1 min(train_loss)<4", ["run-11", "run-18"]),
        ("group=even not has(min(train_loss))", ["run-00", "run-10", "run-20"]),
        ("tag~^run-0[13]$", ["run-01", "run-03"]),
        ("optimizer=adam and lr>=2.2", ["run-23"]),
    ],
)
def test_queries(server: Server, project: str, q: str, found: list[str]) -> None:
    page = server.get("/api/v2/sessions", project=project, q=q, sort="tag")
    assert tags(page) == found
    assert page["total"] == len(found)


@pytest.mark.parametrize(
    "pattern", ["a{", "a{,5}", "x{2}{3}", "a{1", "}", "(a+)+$", "[]a]", "a||b", "()", "^*", "\\_", "é+?"]
)
def test_any_pattern_is_taken_or_told(server: Server, project: str, pattern: str) -> None:
    answer = server.request("GET", "/api/v2/sessions", params={"project": project, "q": f'tag~"{pattern}"'})
    assert answer.status_code == 200 or answer.json()["code"] == "bad_query", answer.text


def test_a_query_that_cannot_be_understood(server: Server, project: str) -> None:
    for q, words, part in (
        ("run (lr=1", "parenthesis is not closed", "("),
        ("status=done", "status is active, complete, failed or cancelled", "done"),
        ("lr<high", "< compares numbers", "high"),
        ('tag~"a("', "not a regular expression", '"a("'),
        ("created>soon", "created compares with a time", "soon"),
        ("starred=maybe", "starred is true or false", "maybe"),
        ("starred>0", "starred is true or false", "0"),
        ("note>5", "note is a text", "5"),
    ):
        answer = server.request("GET", "/api/v2/sessions", params={"project": project, "q": q})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_query"), q
        assert words in answer.json()["error"]
        assert q[answer.json()["start"] : answer.json()["end"]] == part


def test_counts_are_optional(server: Server, project: str) -> None:
    page = server.get("/api/v2/sessions", project=project, limit=3)
    assert page["total"] == 25
    assert sum(page["counts"].values()) == 25
    bare = server.get("/api/v2/sessions", project=project, limit=3, counts=0)
    assert bare.keys() == {"sessions", "next", "cursor"}
    assert bare["sessions"] == page["sessions"]


def test_too_large_limits_are_reduced(server: Server, project: str) -> None:
    assert len(server.get("/api/v2/sessions", project=project, limit=10**9)["sessions"]) == 25
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [1], a=[1.0])
    assert server.get(f"/api/v2/graphs/{graph}/points", limit=10**12)["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "many"},
        {"limit": "0"},
        {"limit": "-1"},
        {"cursor": "nonsense"},
        {"cursor": "bnVsbA"},
        {"sort": "nonsense"},
        {"sort": "median(loss)"},
        {"status": "great"},
    ],
)
def test_invalid_queries_are_400(server: Server, query: dict[str, str]) -> None:
    answer = server.request("GET", "/api/v2/sessions", params=query)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_forged_cursors_and_numbers_are_400(server: Server) -> None:
    import base64

    run = Writing(server)
    graph = run.graph()

    def cursor(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    for path, params in (
        (f"/graphs/{graph}/points", {"cursor": cursor("[99999999999999999999999, 2]")}),
        (f"/graphs/{graph}/points", {"cursor": cursor("[18446744073709551615, 2]")}),
        ("/sessions", {"cursor": cursor('{"at": ["text", 1], "now": 1.5, "sort": "-created_at"}')}),
        ("/sessions", {"cursor": cursor('{"at": 5, "now": 1.5}')}),
        ("/sessions", {"cursor": cursor('{"at": [[], 1], "now": 1.5, "sort": "-created_at"}')}),
        (
            "/sessions",
            {
                "cursor": cursor(
                    '{"at": [18446744073709551615, 18446744073709551615], "now": 1.5, "sort": "-created_at"}'
                )
            },
        ),
    ):
        assert server.request("GET", "/api/v2" + path, params=params).status_code in (200, 400), params
    assert server.request("GET", "/api/v2/sessions", params={"q": "nul\0inside"}).status_code == 200
    for sort in ("min(a\0b)", "params.\0"):
        answer = server.request("GET", "/api/v2/sessions", params={"sort": sort})
        assert (answer.status_code, "which no session has" in answer.text) == (400, True)
    assert server.signed_in().get(f"{server.url}/projects/{10**20}", timeout=30).status_code in (400, 404)


def test_unknown_things_are_404(server: Server) -> None:
    for path in ("/sessions/" + "0" * 20, "/graphs/" + "0" * 20 + "/points", "/series?graph=zzz", "/nowhere"):
        answer = server.request("GET", "/api/v2" + path)
        assert answer.status_code == 404
        assert answer.json()["error"]
    assert server.request("GET", "/api/v2/sessions", params={"project": "none"}).status_code == 404


def test_keys_raw_bearer_cookie_none(server: Server) -> None:
    for header in (server.api_key, f"Bearer {server.api_key}", f"bearer  {server.api_key}"):
        assert server.request("GET", "/api/v2/me", key=header).json()["project"]["name"] == "default"
    assert server.request("GET", "/api/v2/sessions", key="").status_code == 401
    assert server.signed_in().get(server.url + "/api/v2/sessions", timeout=30).status_code == 200


def test_points_in_pages(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [2, 0, 1, 1, 1], a=[2.0, 0.0, 1.0, 1.5, None], b=[None, None, None, None, 7.0])
    a: list[float] = []
    cursor: dict[str, str] = {}
    pages = 0
    while True:
        page = server.get(f"/api/v2/graphs/{graph}/points", limit=2, **cursor)
        a += page["series"].get("a", {"y": []})["y"]
        pages += 1
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert (a, pages) == ([0.0, 1.0, 1.5, 2.0], 3)


def test_estimated_completion(server: Server) -> None:
    now = time.time()
    run = Writing(server, max_iter=100)
    graph = run.graph()
    for x in (0, 10, 20):
        run.points(graph, [x], [now - 40 + 2 * x], a=[1.0])
    # two seconds an iteration, 79 to go
    assert run.row()["eta"] == pytest.approx(time.time() + 158, abs=5)
    run.end()
    assert run.row()["eta"] is None
    assert Writing(server).row()["progress"] is None


def test_estimated_completion_with_graphs_of_different_rates(server: Server) -> None:
    """Validation lags behind training, in x and in time; the estimate is there after every batch."""
    run = Writing(server, max_iter=1_000)
    train, val = run.graph("train"), run.graph("val")
    start = time.time() - 60
    for batch in range(12):
        xs = list(range(batch * 10, batch * 10 + 10))
        times = [start + x / 2 for x in xs]
        run.send(
            records.points_record(train, xs, times, {"loss": [1.0] * 10}),
            records.points_record(val, xs[:1], [times[0] - 2], {"loss": [1.0]}),
        )
        eta = run.row()["eta"]
        assert eta is not None
    # half a second an iteration
    assert eta - time.time() == pytest.approx((999 - 119) / 2, rel=0.05)


def test_estimated_completion_from_one_large_record(server: Server) -> None:
    run = Writing(server, max_iter=10)
    now = time.time()
    run.points(run.graph(), list(range(6)), [now - 30 + 6 * x for x in range(6)], a=[1.0] * 6)
    assert run.row()["eta"] == pytest.approx(now + 24, abs=5)


def test_sorting_by_estimated_completion_puts_ended_ones_last(server: Server) -> None:
    for tag, pace in (("slow", 4.0), ("fast", 1.0)):
        run = Writing(server, tag=tag, project="estimates", max_iter=50)
        now = time.time()
        run.points(run.graph(), [0, 10], [now - 10 * pace, now], a=[1.0, 1.0])
    ended = Writing(server, tag="ended", project="estimates", max_iter=50)
    ended.points(ended.graph(), [0, 10], a=[1.0, 1.0])
    ended.end()
    assert tags(server.get("/api/v2/sessions", project="estimates", sort="eta")) == ["fast", "slow", "ended"]
    assert tags(server.get("/api/v2/sessions", project="estimates", sort="-eta")) == ["slow", "fast", "ended"]


def test_a_cursor_belongs_to_its_sort(server: Server, project: str) -> None:
    page = server.get("/api/v2/sessions", project=project, sort="min(train_loss)", limit=3)
    params = {"project": project, "sort": "tag", "cursor": page["next"]}
    answer = server.request("GET", "/api/v2/sessions", params=params)
    assert answer.status_code == 400
    assert "sort" in answer.json()["error"]
