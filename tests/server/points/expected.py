"""What summaries, series and statistics have to be, computed by NumPy from the raw points."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from losswise_server.points import bucket_store, buckets, series, store, summaries
from losswise_server.points.columns import column_of
from losswise_server.points.store import GraphRef
from losswise_server.points.summaries import SummaryState

from losswise.protocol import records
from losswise.protocol.records import encode_number

NAMES = ("a", "b", "late")
INT64_MAX = 2**63 - 1


class Point(NamedTuple):
    x: int
    t: float
    y: dict[str, float]


def record_of(graph: str, points: list[Point]) -> dict[str, Any]:
    """The points as a record."""
    names = sorted({name for point in points for name in point.y})
    columns = {name: [encode_number(point.y[name]) if name in point.y else None for point in points] for name in names}
    return records.points_record(graph, [p.x for p in points], [p.t for p in points], columns)


class Model:
    """The expected points of a graph, in order of arrival."""

    def __init__(self, points: list[Point] | None = None) -> None:
        self.points = points or []

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, t and values of a name, by x and then by arrival."""
        found = [(p.x, p.t, p.y[name]) for p in self.points if name in p.y]
        found.sort(key=lambda point: point[0])
        x, t, y = ([row[place] for row in found] for place in range(3))
        return np.array(x, dtype=np.int64), np.array(t), np.array(y)


def set_small_limits(patch: pytest.MonkeyPatch) -> None:
    """Make few points reach what else many would."""
    patch.setattr(summaries, "MAX_UNSEALED_POINTS", 40)
    patch.setattr(summaries, "MAX_BUCKET_POINTS", 6)
    patch.setattr(summaries, "CHUNK_POINTS", 50)
    patch.setattr(summaries, "CHUNK_NAMES", 2)
    patch.setattr(bucket_store, "CHUNK_PAGES", 3)
    patch.setattr(bucket_store, "CHUNK_RUNS", 2)
    patch.setattr(bucket_store, "CHUNK_LOOKUPS", 3)


def clipped_sum(values: np.ndarray) -> float | None:
    """The sum; None if a partial sum may overflow."""
    with np.errstate(over="ignore"):
        return float(values.sum()) if np.isfinite(np.abs(values).sum()) else None


def check_group(bucket: Any, t: np.ndarray, y: np.ndarray, x: np.ndarray) -> None:
    """Compare a bucket with its points."""
    finite = y[np.isfinite(y)]
    assert bucket["count"] == len(finite)
    assert bucket["nan"] == np.isnan(y).sum()
    assert bucket["inf"] == np.isinf(y).sum()
    assert (bucket["x"], bucket["t"]) == (x[0], t[0])
    if not len(finite):
        return
    assert bucket["low"] == finite.min()
    assert bucket["high"] == finite.max()
    assert bucket["low_x"] == x[y == finite.min()].min()
    assert bucket["high_x"] == x[y == finite.max()].min()
    total = clipped_sum(finite)
    if total is not None:
        assert math.isclose(bucket["total"], total, rel_tol=1e-9, abs_tol=1e-9 * np.abs(finite).sum())


def check_levels(ref: GraphRef, state: SummaryState) -> None:
    """Check that every level summarizes every sealed point, and nothing else."""
    arrival, stored = store.read(ref)
    sealed = stored.x < state.first_unsealed_x
    assert (~sealed).sum() == state.unsealed
    for level in range(16):
        found = bucket_store.read(ref, level, -(2**63), INT64_MAX)
        if level not in state.levels:
            assert not found
            continue
        for number, name in enumerate(ref.names):
            column = stored.y.get(name, column_of([None] * len(arrival)))
            there = sealed & (column.view(np.uint64) != column_of([None]).view(np.uint64)[0])
            x, t, y = stored.x[there], stored.t[there], column[there]
            made = found.get(number, buckets.EMPTY)
            groups = x // buckets.FACTOR**level
            assert made["number"].tolist() == np.unique(groups).tolist()
            for bucket in made:
                mine = groups == bucket["number"]
                # of points at the same first x, that of the first to arrive among those sealed together
                check_group(
                    bucket, np.array([bucket["t"]]) if (x[mine] == x[mine][0]).sum() > 1 else t[mine], y[mine], x[mine]
                )


def check_statistics(row: Any, model: Model, graph: int = 1) -> None:
    found = row.graph_stats.get(str(graph), {})
    expected = {name for name in NAMES if any(name in point.y for point in model.points)}
    assert {name for name, stat in found.items() if stat["count"]} == expected
    for name in expected:
        x, _, y = model.column(name)
        stat, finite = found[name], y[np.isfinite(y)]
        assert stat["count"] == len(y)
        assert stat["nan"] == len(y) - len(finite)
        assert stat["min"] == (finite.min() if len(finite) else None)
        assert stat["max"] == (finite.max() if len(finite) else None)
        assert stat["last_x"] == x[-1]
        assert float(stat["last"]) == y[-1] or math.isnan(y[-1])
        if len(finite):
            assert stat["min_x"] in x[y == finite.min()]
            assert stat["max_x"] in x[y == finite.max()]
        assert (stat["nan_x"] is None) == (stat["nan"] == 0)
        if stat["nan"]:
            assert stat["nan_x"] in x[~np.isfinite(y)]


def check_series(ref: GraphRef, state: SummaryState, model: Model, x0: int | None, x1: int | None) -> None:
    width = 10
    found = series.series(ref, state, x0, x1, width)
    low = -(2**63) if x0 is None else x0
    high = INT64_MAX if x1 is None else x1
    inside = [point for point in model.points if low <= point.x <= high]
    columns = {name: model.column(name) for name in NAMES}
    within = {name: tuple(part[(c[0] >= low) & (c[0] <= high)] for part in c) for name, c in columns.items()}
    assert set(found["series"]) == {name for name, (x, _, _) in within.items() if len(x)}
    assert found["exact"] == (len(inside) <= 2 * width)
    if not inside:
        return
    for name, shown in found["series"].items():
        x, _, y = within[name]
        if found["exact"]:
            assert shown["x"] == x.tolist()
            np.testing.assert_array_equal([float(value) for value in shown["y"]], y)
            continue
        assert len(shown["x"]) <= width
        assert sorted(shown["x"]) == shown["x"]
        assert shown["x"][0] == x[0]
        assert set(shown["x"]) <= set(x.tolist())
        # each bucket holds the points from its first x to the next bucket's
        edges: Any = np.searchsorted(x, shown["x"])
        for number, (start, end) in enumerate(zip(edges, [*edges[1:], len(x)], strict=True)):
            part = y[start:end]
            finite = part[np.isfinite(part)]
            assert shown["min"][number] == (finite.min() if len(finite) else None)
            assert shown["max"][number] == (finite.max() if len(finite) else None)
            assert shown["nan"][number] == np.isnan(part).sum()
            assert shown["inf"][number] == np.isinf(part).sum()
            total = clipped_sum(finite) if len(finite) else None
            if total is not None:
                error = 1e-9 * np.abs(finite).sum() / len(finite)
                assert math.isclose(shown["mean"][number], total / len(finite), rel_tol=1e-9, abs_tol=error)
