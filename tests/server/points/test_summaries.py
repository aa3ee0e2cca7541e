"""Summaries, series and statistics agree with NumPy on the raw points, in whatever order they arrive."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.points import bucket_store, buckets, series, statistics, store, summaries
from losswise_server.points.columns import column_of
from losswise_server.points.store import GraphRef
from losswise_server.points.summaries import SummaryState
from sqlalchemy import select

from losswise.protocol import records
from losswise.protocol.records import encode_number
from tests.conftest import DATABASES, database_url
from tests.support.application import DirectWriting, application

NAMES = ("a", "b", "late")
INT64_MAX = 2**63 - 1


@pytest.fixture(scope="module", params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder: Path = tmp_path_factory.mktemp("application")
    with application(folder, database_url(request.param, request)):
        yield


class Point(NamedTuple):
    x: int
    t: float
    y: dict[str, float]


class Batch(NamedTuple):
    """Points of one record."""

    points: list[Point]


class Rewind(NamedTuple):
    after: int
    until: float


numbers = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-5, 5).map(float),
    st.sampled_from([math.nan, math.inf, -math.inf, 1.7e308, -1.7e308, 5e-324, -0.0]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Batch | Rewind]:
    """Batches of points: runs of steps (from anywhere, by any stride, up or down), places at random, the same place
    again, and rewinds between them."""
    history: list[Batch | Rewind] = []
    time = 0.0
    for _ in range(draw(st.integers(1, 8))):
        time += 1.0
        if history and draw(st.integers(0, 3)) == 0:
            known = [point.x for step in history if isinstance(step, Batch) for point in step.points]
            after = draw(st.sampled_from(known)) + draw(st.integers(-20, 20)) if known else 0
            until = draw(st.sampled_from([time, time - 2.0]))
            history.append(Rewind(max(-(2**63), min(after, INT64_MAX)), max(0.0, until)))
            continue
        start = draw(st.sampled_from([0, 0, 100, -1_000, 10_000, 2**40, -(2**63), INT64_MAX - 5_000]))
        stride = draw(st.sampled_from([0, 1, 1, 1, -1, 3, 16, 100]))
        count = draw(st.integers(1, 120))
        xs = [start + stride * number for number in range(count)]
        if draw(st.booleans()):
            xs = draw(st.permutations(xs))
        xs = [max(-(2**63), min(x, INT64_MAX)) for x in xs]
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
        seed = draw(st.lists(numbers, min_size=1, max_size=8))
        holes = draw(st.booleans())
        points = []
        for number, x in enumerate(xs):
            y = {
                name: seed[(number * 7 + place) % len(seed)] + (number % 5 if number % 3 else 0)
                for place, name in enumerate(names)
                if not (holes and (number + place) % 4 == 0)
            }
            points.append(Point(x, time, y))
        history.append(Batch(points))
    return history


def record_of(graph: str, batch: Batch) -> dict[str, Any]:
    names = sorted({name for point in batch.points for name in point.y})
    columns = {
        name: [encode_number(point.y[name]) if name in point.y else None for point in batch.points] for name in names
    }
    return records.points_record(graph, [p.x for p in batch.points], [p.t for p in batch.points], columns)


class Model:
    """The expected points, in order of arrival."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def apply(self, step: Batch | Rewind) -> None:
        if isinstance(step, Batch):
            self.points += [point for point in step.points if point.y]
        else:
            self.points = [p for p in self.points if not (p.x > step.after and p.t <= step.until)]

    def column(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, t and values of a name, by x and then by arrival."""
        found = [(p.x, p.t, p.y[name]) for p in self.points if name in p.y]
        found.sort(key=lambda point: point[0])
        x, t, y = ([row[place] for row in found] for place in range(3))
        return np.array(x, dtype=np.int64), np.array(t), np.array(y)


def same_number(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-300) or one == other


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


def check_statistics(row: Any, model: Model) -> None:
    found = row.graph_stats.get("1", {})
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


def check_history(history: list[Batch | Rewind], windows: list[tuple[int, int]]) -> None:
    """Apply it with small limits, and compare summaries, statistics and series with the model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summaries, "MAX_UNSEALED_POINTS", 40)
        patch.setattr(summaries, "MAX_BUCKET_POINTS", 6)
        patch.setattr(summaries, "CHUNK_POINTS", 50)
        patch.setattr(summaries, "CHUNK_NAMES", 2)
        patch.setattr(bucket_store, "CHUNK_PAGES", 3)
        patch.setattr(bucket_store, "CHUNK_RUNS", 2)
        patch.setattr(bucket_store, "CHUNK_LOOKUPS", 3)
        run = DirectWriting()
        graph = run.graph()
        model = Model()
        for step in history:
            if isinstance(step, Batch):
                run.send(record_of(graph, step))
            else:
                run.send(records.rewind_record(step.after, step.until))
            model.apply(step)
        with reading() as connection:
            row = connection.execute(select(Session.__table__).where(Session.id == run.session)).one()
            ref = store.graph_ref(connection, row.key, 1)
            state = SummaryState.load(row.summary_states.get("1"))
            assert row.points == len(model.points)
            check_levels(ref, state)
            check_statistics(row, model)
            check_series(ref, state, model, None, None)
            known = sorted({point.x for point in model.points}) or [0]
            for at, length in windows:
                start = known[at % len(known)]
                check_series(ref, state, model, start, min(start + length, INT64_MAX))
                check_series(ref, state, model, None, start)


def any_history(examples: int) -> Callable[[Any], Any]:
    """A property of so many histories, each with some windows of its series."""
    windows = st.lists(st.tuples(st.integers(-30, 130), st.integers(1, 4_000)), max_size=3)
    checks = [HealthCheck.too_slow]

    def decorate(test: Any) -> Any:
        return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks)(
            given(history=histories(), windows=windows)(test)
        )

    return decorate


@any_history(30)
def test_any_history(app: None, history: list[Batch | Rewind], windows: list[tuple[int, int]]) -> None:
    check_history(history, windows)


@pytest.mark.full
@any_history(600)
def test_many_histories(app: None, history: list[Batch | Rewind], windows: list[tuple[int, int]]) -> None:
    check_history(history, windows)


def steps(first: int, last: int, time: float = 1.0) -> Batch:
    return Batch([Point(x, time, {"a": math.sin(x), "b": -x / 3}) for x in range(first, last)])


def spaced(first: int, count: int, stride: int) -> Batch:
    return Batch([Point(first + stride * x, 1.0, {"a": math.sin(x), "late": float(x)}) for x in range(count)])


HISTORIES: dict[str, list[Batch | Rewind]] = {
    "a rewind into unsealed points": [steps(0, 60), steps(60, 70), Rewind(64, 2.0)],
    "a rewind into sealed points, some of which stay": [steps(0, 500), steps(400, 430, 9.0), Rewind(100, 5.0)],
    "a rewind to nothing": [steps(0, 500), Rewind(-1, 5.0), steps(0, 30, 9.0)],
    "levels that are added": [steps(0, 50), steps(5_000, 5_050), steps(10**9, 10**9 + 50), steps(-70_000, -69_950)],
    "points that come closer": [spaced(0, 50, 10**6), steps(0, 60), spaced(10**7, 300, 1), steps(0, 60)],
    "a step counter that restarts each epoch": [steps(0, 30) for _ in range(20)],
    "points far apart": [spaced(n * 10**16, 50, 2 * 10**14) for n in range(4)],
    "one far ahead of all": [spaced(10**12, 1, 1), *(steps(n * 30, n * 30 + 30) for n in range(5))],
    "rewinds among repeated ones": [*(steps(0, 30, n) for n in range(9)), Rewind(10, 4.0), steps(5, 50, 20.0)],
    "a rewind of the last x that there is": [spaced(INT64_MAX - 99, 100, 1), Rewind(INT64_MAX - 50, 5.0)],
    "a rewind around the last x that there is": [
        spaced(INT64_MAX - 99, 100, 1),
        Batch([Point(INT64_MAX, 9.0, {"a": 1.0})]),
        Rewind(INT64_MAX - 50, 5.0),
    ],
    "late ones": [steps(1_000, 2_000), steps(0, 10), steps(500, 510), steps(2_000, 2_010)],
    "two that take turns": [
        step for n in range(8) for step in (steps(n * 30, n * 30 + 30), steps(n * 20, n * 20 + 20))
    ],
}


@pytest.mark.parametrize("name", HISTORIES)
def test_known_histories(app: None, name: str) -> None:
    check_history(HISTORIES[name], [(0, 40), (50, 300), (100, 4_000)])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    points=st.lists(st.tuples(st.integers(-50, 50), st.one_of(st.none(), numbers)), min_size=1, max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=5),
)
def test_statistics_do_not_depend_on_the_batches(points: list[tuple[int, float | None]], cuts: list[int]) -> None:
    def add(stat: Any, part: list[tuple[int, float | None]]) -> Any:
        values = [None if y is None else encode_number(y) for _, y in part]
        return statistics.add_column(stat, np.array([x for x, _ in part], dtype=np.int64), column_of(values))

    stats = []
    for small in (0, 1_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(statistics, "LOOP_MAX_VALUES", small)
            stats.append(add(None, points))
            stat = add(None, [])
            for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(points)], strict=True):
                stat = add(stat, points[start:end])
            stats.append(stat)
    for stat in stats[1:]:
        assert stat == stats[0]
