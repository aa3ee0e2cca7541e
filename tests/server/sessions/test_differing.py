"""Which params differ between the sessions of a query."""

from __future__ import annotations

from typing import Any

import pytest

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server


@pytest.fixture
def project(server: Server) -> str:
    return f"differing {records.new_id()}"


def make(server: Server, project: str, **given: Any) -> Writing:
    return Writing(server, project=project, **{"tag": "run", **given})


def differing(server: Server, project: str, **asked: Any) -> list[str]:
    found = server.get("/api/v2/sessions/differing_params", project=project, **asked)
    assert found["more"] is False
    return list(found["params"])


def groups(server: Server, project: str, by: str) -> list[Any]:
    """The values that sessions are grouped by."""
    found = server.get("/api/v2/sessions/groups", project=project, by=by)["groups"]
    return [group["value"] for group in found]


def test_values_that_are_equal_do_not_differ(server: Server, project: str) -> None:
    make(server, project, params={"lr": 1, "layers": [1, 2], "on": True, "model": {"depth": 3, "name": "a"}})
    make(server, project, params={"lr": 1.0, "layers": [1, 2], "on": True, "model": {"depth": 3, "name": "a"}})
    assert differing(server, project) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.1, 0.2), (1, True), (1, "one"), (-1, -2), ([1], [1, 2]), ("a", "b"), (0, None), (True, "True"), ("NaN", 1)],
)
def test_values_that_are_not_equal_differ(server: Server, project: str, one: Any, other: Any) -> None:
    make(server, project, params={"same": 1, "x": one, "nested": {"y": one}})
    make(server, project, params={"same": 1, "x": other, "nested": {"y": other}})
    assert differing(server, project) == ["nested.y", "x"]
    assert len(groups(server, project, "params.x")) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [(0.1, "0.1"), (1, "1.0"), (0.0, -0.0), (1e3, "1e3"), (True, "true"), (2**60, 2**60 + 1), ([1, "a"], [1, "a"])],
)
def test_values_that_are_one_group_do_not_differ(server: Server, project: str, one: Any, other: Any) -> None:
    make(server, project, params={"x": one})
    make(server, project, params={"x": other})
    assert len(groups(server, project, "params.x")) == 1
    assert differing(server, project) == []


def test_a_name_with_dots_comes_before_a_nested_one(server: Server, project: str) -> None:
    """As in queries, whichever of them was recorded first."""
    make(server, project, params={"a.b": 1, "a": {"b": 2}})
    make(server, project, params={"a": {"b": 3}, "a.b": 1})
    assert groups(server, project, "params.a.b") == [1]
    assert differing(server, project) == []
    make(server, project, params={"a": {"b": 2}, "a.b": 4})
    assert differing(server, project) == ["a.b"]


def test_a_param_that_some_do_not_have_differs(server: Server, project: str) -> None:
    make(server, project, params={"lr": 1, "seed": 3})
    make(server, project, params={"lr": 1})
    make(server, project, params={"lr": 1, "model": {"depth": 3}})
    assert differing(server, project) == ["model.depth", "seed"]


def test_only_sessions_of_the_query_are_compared(server: Server, project: str) -> None:
    for lr, seed in ((0.1, 1), (0.1, 2), (0.2, 1)):
        run = make(server, project, params={"lr": lr, "seed": seed})
    run.end("failed", reason="error")
    assert differing(server, project) == ["lr", "seed"]
    assert differing(server, project, q="lr=0.1") == ["seed"]
    assert differing(server, project, q="seed=1") == ["lr"]
    assert differing(server, project, status="failed") == []
    assert differing(server, project, q="lr=7") == []
    assert differing(server, project, **{"in": "bin"}) == []


def test_a_param_that_is_added_later_counts(server: Server, project: str) -> None:
    first = make(server, project, params={"lr": 1})
    make(server, project, params={"lr": 1})
    assert differing(server, project) == []
    first.send(records.session_record(params={"late": 1}))
    assert differing(server, project) == ["late"]


def test_a_query_with_a_mistake_is_rejected(server: Server, project: str) -> None:
    make(server, project)
    answer = server.request("GET", "/api/v2/sessions/differing_params?q=lr%3C%3C1")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
