"""Sessions side by side."""

from __future__ import annotations

from typing import Any

from losswise_server.sessions.comparison import MISSING, compare_params, compare_statistics, compare_values


def session(params: Any = None, values: Any = None, kind: str | None = "min", **stats: Any) -> dict[str, Any]:
    """A row of the list; `stats` gives the last and best value of each metric of a graph of this kind."""
    found = {name: {"min": value, "max": value, "last": value} for name, value in stats.items()}
    graphs = [{"title": "graph", "kind": kind, "names": list(found)}]
    return {"params": params or {}, "values": values or {}, "stats": found, "graphs": graphs}


def test_params_by_path_and_whether_they_differ() -> None:
    one = {"lr": 1, "on": True, "model": {"depth": 18, "name": "a"}, "none": None, "list": [1], "empty": {}}
    other = {"lr": 1.0, "on": 1, "model": {"depth": 34, "name": "a"}, "list": [1], "more": "x"}
    found = compare_params([session(one), session(other)])
    assert [(param.name, param.differs) for param in found] == [
        ("list", False),
        ("lr", False),
        ("model.depth", True),
        ("model.name", False),
        ("more", True),
        ("on", True),
    ]
    assert found[4].values == [MISSING, "x"]


def test_names_with_dots_are_those_at_the_top() -> None:
    assert [(one.name, one.values) for one in compare_params([session({"a.b": 1}), session({"a": {"b": 1}})])] == [
        ("a.b", [1, 1])
    ]


def test_values() -> None:
    found = compare_values([session(values={"best": 0.5}), session(values={"best": 0.5})])
    assert [(value.name, value.differs) for value in found] == [("best", False)]


def test_the_best_of_each_statistic_and_the_change_from_the_first() -> None:
    rows = [session(loss=2.0), session(loss=1.0), session(loss=3.0), session(), session(loss="NaN")]
    best, last = compare_statistics(rows)
    assert (best.name, last.name) == ("min(loss)", "last(loss)")
    assert best.values == [2.0, 1.0, 3.0, MISSING, "NaN"]
    assert best.best == {1}
    assert best.changes == [None, -0.5, 0.5, None, None]
    assert last.best == {1}


def test_the_greatest_is_the_best_where_the_graph_says_so() -> None:
    [best, _] = compare_statistics([session(kind="max", acc=0.5), session(kind="max", acc=0.75)])
    assert (best.name, best.best, best.changes) == ("max(acc)", {1}, [None, 0.5])


def test_without_a_kind_nothing_is_the_best() -> None:
    [last] = compare_statistics([session(kind=None, lr=-0.5), session(kind=None, lr=-0.25)])
    assert (last.name, last.best, last.changes) == ("last(lr)", frozenset(), [None, 0.5])


def test_one_value_alone_is_not_the_best_and_nothing_is_a_fraction_of_zero() -> None:
    [best, _] = compare_statistics([session(), session(loss=1.0)])
    assert (best.best, best.changes) == (frozenset(), [None, None])
    [best, _] = compare_statistics([session(loss=0.0), session(loss=1.0)])
    assert (best.best, best.changes) == ({0}, [None, None])


def test_nesting_of_any_depth() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = {"a": deep}
    assert len(compare_params([session(deep), session(deep)])) == 1
