"""The picture of a session's curves that a notebook keeps."""

from __future__ import annotations

import math
import random
import sys
import threading
import time
from array import array
from itertools import pairwise
from typing import Any

import pytest

from losswise.notebook.curves import MAX_BUCKETS, MAX_GRAPHS, MAX_NAMES, SLICE_POINTS, Curve, CurveStore
from losswise.recording.point_buffer import PointBatch


def curve_of(values: list[Any], at_once: int = 100) -> Curve:
    """A curve whose x are 0, 1, 2, ..., added so many points at a time."""
    curve = Curve()
    for start in range(0, len(values), at_once):
        part = values[start : start + at_once]
        curve.add(range(start, start + len(part)), part)
    return curve


def noise(count: int) -> list[float]:
    numbers = random.Random(7)
    return [numbers.gauss(0, 1) for _ in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 399, 400])
def test_up_to_400_points_are_kept_as_they_are(count: int) -> None:
    values = noise(count)
    assert curve_of(values).buckets() == [(x, y, y, y) for x, y in enumerate(values)]


@pytest.mark.parametrize("at_once", [1, 7, 399, 5_000, 100_000])
@pytest.mark.parametrize("count", [401, 4_000, 70_001])
def test_a_long_curve_keeps_its_extremes_in_their_buckets(count: int, at_once: int) -> None:
    values = noise(count)
    values[count // 3], values[count // 2] = 99.0, -99.0
    places = curve_of(values, at_once).buckets()
    assert MAX_BUCKETS / 4 < len(places) <= MAX_BUCKETS
    starts = [int(place.x) for place in places]
    for place, start, end in zip(places, starts, [*starts[1:], count], strict=True):
        assert place.low == min(values[start:end])
        assert place.high == max(values[start:end])
        assert place.mean == pytest.approx(math.fsum(values[start:end]) / (end - start))
    assert starts[0] == 0
    assert len({end - start for start, end in pairwise(starts)}) == 1  # all of one size


@pytest.mark.parametrize("at_once", [1, 3, 1_000])
def test_what_is_not_finite_is_counted_and_has_its_place(at_once: int) -> None:
    values = noise(1_000)
    values[400], values[500], values[700] = math.inf, math.nan, math.nan
    curve = curve_of(values, at_once)
    assert (curve.nan, curve.inf, curve.bad, curve.bad_x) == (2, 1, math.inf, 400)
    assert all(math.isfinite(number) for place in curve.buckets() for number in place)
    assert (curve.last, curve.last_x) == (values[-1], 999)
    curve.add([1_000], [math.nan])
    assert math.isnan(curve.last or 0.0)
    assert curve.last_x == 1_000
    assert curve.bad_x == 400


def test_a_name_without_a_value_at_some_x() -> None:
    curve = Curve()
    curve.add([0, 1, 2, 3], [None, 5.0, None, 6.0])
    curve.add([4, 5], [None, None])
    assert curve.buckets() == [(1, 5, 5, 5), (3, 6, 6, 6)]
    assert (curve.last, curve.last_x, curve.nan) == (6.0, 3, 0)


def test_few_values_among_many_gaps_stay_apart() -> None:
    curve = curve_of([float(x) if x % 1_000 == 0 else None for x in range(100_000)], at_once=5_000)
    assert [place.x for place in curve.buckets()] == [float(x) for x in range(0, 100_000, 1_000)]


def test_points_that_come_late_stand_where_they_belong() -> None:
    curve = Curve()
    curve.add([5, 6, 7], [1.0, 2.0, 3.0])
    curve.add([0, 1], [8.0, 9.0])
    assert [place.x for place in curve.buckets()] == [0, 1, 5, 6, 7]


def test_values_whose_sum_is_beyond_a_float() -> None:
    places = curve_of([1e308, 1e308, -1e308] * 1_000).buckets()
    assert max(place.high for place in places) == 1e308
    assert min(place.low for place in places) == -1e308


def test_graphs_and_names_are_bounded() -> None:
    sketch = CurveStore()
    for graph in range(MAX_GRAPHS + 5):
        for name in range(MAX_NAMES + 5):
            sketch.add(f"graph {graph}", PointBatch([0], [0], [0.0], {f"name {name}": [1.0]}))
    sketch.add("graph 0", PointBatch([1], [1], [0.0], {"name 0": [2.0], "another": [3.0]}))
    kept = [title for title in (f"graph {graph}" for graph in range(MAX_GRAPHS + 5)) if sketch.curves(title)]
    assert kept == [f"graph {graph}" for graph in range(MAX_GRAPHS)]
    assert list(sketch.curves("graph 0")) == [f"name {name}" for name in range(MAX_NAMES)]
    assert sketch.curves("graph 0")["name 0"].last == 2.0
    assert sketch.curves("unknown") == {}


def test_the_version_tells_of_changes() -> None:
    sketch = CurveStore()
    before = sketch.version
    sketch.add("loss", PointBatch([0], [0], [0.0], {"a": [1.0]}))
    assert sketch.version != before


def test_another_thread_reads_whole_buckets_all_the_time() -> None:
    current = [CurveStore()]
    done = threading.Event()
    sizes: set[int] = set()
    wrong: list[Any] = []

    def read() -> None:
        while not done.is_set():
            for curve in current[0].curves("loss").values():
                places = curve.buckets()
                sizes.add(len(places))
                # y is x, so a place that is half written or misplaced shows
                wrong.extend(place for place in places if not place.x == place.low <= place.mean <= place.high)
                wrong.extend(pair for pair in pairwise(places) if pair[0].high >= pair[1].x)

    reader = threading.Thread(target=read)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    reader.start()
    deadline = time.monotonic() + 20
    try:
        while len(sizes) < 50 and time.monotonic() < deadline:
            current[0] = CurveStore()
            for start in range(0, 60_000, 300):
                xs = array("q", range(start, start + 300))
                current[0].add("loss", PointBatch(xs, xs, xs, {"a": array("d", xs)}))
    finally:
        sys.setswitchinterval(before)
        done.set()
        reader.join()
    assert not wrong
    assert len(sizes) >= 50


def test_a_slice_takes_less_than_a_moment() -> None:
    """No call holds the interpreter for long: what is long is added in slices, with a pause after each."""
    values = array("d", noise(SLICE_POINTS))
    for broken in (values, array("d", [math.nan, *values[1:]])):
        curve = Curve()
        took = []
        for start in range(0, 20 * SLICE_POINTS, SLICE_POINTS):
            began = time.thread_time()
            curve.add(range(start, start + SLICE_POINTS), broken)
            took.append(time.thread_time() - began)
        assert min(took) < 0.002  # a third of a millisecond; a busy machine takes longer


def test_a_long_column_is_added_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(Curve, "add", lambda self, xs, ys: sizes.append(len(ys)))
    xs = range(3 * SLICE_POINTS + 1)
    CurveStore().add("loss", PointBatch(xs, xs, [], {"a": list(xs)}))
    assert sizes == [SLICE_POINTS, SLICE_POINTS, SLICE_POINTS, 1]
