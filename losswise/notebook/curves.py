"""Downsampled curves of a session in bounded memory, for the charts of a notebook.

The journal writer's thread adds points and any thread reads them. There is no lock, because a fork could leave it
locked: a curve is a flat array that is extended, changed and replaced by single operations, each of them atomic.
"""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from losswise.recording.point_buffer import PointBatch
from losswise.util.guard import guarded

MAX_GRAPHS = 24
MAX_NAMES = 12
MAX_BUCKETS = 400
# numbers of a bucket: x, min, max, mean
BUCKET_SIZE = 4
# added at once, in half a millisecond at most; after a slice the training gets the interpreter's lock
SLICE_POINTS = 2_000
SLICE_PAUSE_S = 0.0001


class Bucket(NamedTuple):
    """Adjacent points of a curve as one; `x` is that of the first."""

    x: float
    low: float
    high: float
    mean: float


class Curve:
    """One metric: at most 400 buckets, each of the same number of points. When they are full, pairs are merged.

    Attributes:
        last, last_x: the latest value, which may be NaN or infinite, and its x; None before the first.
        nan, inf: how many values were NaN, and how many infinite.
        bad, bad_x: the first of these values, and its x; None if there is none.
    """

    def __init__(self) -> None:
        self.last: float | None = None
        self.last_x: int | None = None
        self.nan = self.inf = 0
        self.bad: float | None = None
        self.bad_x: int | None = None
        self._buckets = array("d")
        self._each = 1
        self._in_last = 0

    def buckets(self) -> list[Bucket]:
        """Return the finite values, by x. Minima and maxima are exact."""
        flat = self._buckets[:]
        return sorted(map(Bucket, *(flat[field::BUCKET_SIZE] for field in range(BUCKET_SIZE))))

    def add(self, xs: Sequence[int], ys: Sequence[Any]) -> None:
        """Add points in the order in which they were recorded. None stands for a missing value."""
        xs, ys = self._finite(xs, ys)
        if not len(ys):
            return
        self._make_room(len(ys))
        start = 0
        if self._in_last < self._each and self._buckets:
            start = min(len(ys), self._each - self._in_last)
            self._fill_last(ys[:start])
        for at in range(start, len(ys), self._each):
            part = ys[at : at + self._each]
            self._buckets.extend((xs[at], min(part), max(part), sum(part) / len(part)))
            self._in_last = len(part)

    def _finite(self, xs: Sequence[int], ys: Sequence[Any]) -> tuple[Sequence[int], Sequence[float]]:
        """Return the points whose values are there and finite. Counts those that are not finite."""
        try:
            is_clean = math.isfinite(sum(ys))
        except TypeError:
            is_clean = False
        if is_clean:
            if len(ys):
                self.last, self.last_x = ys[-1], xs[-1]
            return xs, ys
        there = [(x, y) for x, y in zip(xs, ys, strict=True) if y is not None]
        if there:
            self.last_x, self.last = there[-1]
        if bad := [(x, y) for x, y in there if not math.isfinite(y)]:
            nan = sum(math.isnan(y) for _x, y in bad)
            self.nan += nan
            self.inf += len(bad) - nan
            if self.bad is None:
                self.bad_x, self.bad = bad[0]
        kept = [(x, y) for x, y in there if math.isfinite(y)] if bad else there
        return [x for x, _y in kept], [y for _x, y in kept]

    def _fill_last(self, part: Sequence[float]) -> None:
        x, low, high, mean = self._buckets[-BUCKET_SIZE:]
        count = self._in_last + len(part)
        mean += (sum(part) - mean * len(part)) / count
        self._buckets[-BUCKET_SIZE:] = array("d", (x, min(low, min(part)), max(high, max(part)), mean))
        self._in_last = count

    def _make_room(self, count: int) -> None:
        """Merge buckets until `count` more points fit, so that a single call adds at most 400 buckets."""
        while True:
            fit = self._each - self._in_last if self._buckets else 0
            if len(self._buckets) // BUCKET_SIZE + math.ceil(max(0, count - fit) / self._each) <= MAX_BUCKETS:
                return
            self._merge_pairs()

    def _merge_pairs(self) -> None:
        flat = self._buckets
        size, last = len(flat) // BUCKET_SIZE, list(flat[-BUCKET_SIZE:])
        xs, lows, highs, means = (flat[at::BUCKET_SIZE] for at in range(BUCKET_SIZE))
        merged = array(
            "d",
            chain.from_iterable(
                zip(
                    xs[0::2],
                    map(min, lows[0::2], lows[1::2]),
                    map(max, highs[0::2], highs[1::2]),
                    ((one + other) / 2 for one, other in zip(means[0::2], means[1::2], strict=False)),
                    strict=False,
                )
            ),
        )
        if size % 2:
            merged.extend(last)
        elif size:
            before, count = means[-2], self._in_last
            merged[-1] = (before * self._each + last[3] * count) / (self._each + count)
            self._in_last += self._each
        self._buckets = merged
        self._each *= 2


class CurveStore:
    """The curves of a session, by the title of their graph and by name: at most 24 graphs of 12 names each.

    Attributes:
        version: increases with each change.
    """

    def __init__(self) -> None:
        self.version = 0
        self._graphs: dict[str, dict[str, Curve]] = {}

    def curves(self, title: str) -> dict[str, Curve]:
        """Return the curves of a graph by name, in the order of their first points."""
        return dict(self._graphs.get(title, {}))

    @guarded("drawing points")
    def add(self, title: str, points: PointBatch) -> None:
        """Add points of a graph. Called by the journal writer, which has written them whatever happens here."""
        if title not in self._graphs and len(self._graphs) >= MAX_GRAPHS:
            return
        curves = self._graphs.setdefault(title, {})
        for name, column in points.y.items():
            if name in curves or len(curves) < MAX_NAMES:
                _add_gently(curves.setdefault(name, Curve()), points.x, column)
        self.version += 1


def _add_gently(curve: Curve, xs: Sequence[int], ys: Sequence[Any]) -> None:
    for start in range(0, len(ys), SLICE_POINTS):
        curve.add(xs[start : start + SLICE_POINTS], ys[start : start + SLICE_POINTS])
        if len(ys) > SLICE_POINTS // 4:
            time.sleep(SLICE_PAUSE_S)
