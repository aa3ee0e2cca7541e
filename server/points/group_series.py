"""The mean and the spread of each metric over a group of sessions, in bins of steps.

Steps are cut into bins of `size` steps, a power of two, that begin at multiples of it. So bins stay where they are when
points are added, and each bucket of the summaries that is not wider lies in one bin. Within a bin a session counts
once, with the mean of its finite values: mean, standard deviation, minimum and maximum are those of the sessions'
means. Values that are not finite are left out and counted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import text

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from . import bucket_store, buckets, store
from .buckets import NO_X
from .columns import has_value
from .store import OF_GRAPH, GraphRef
from .summaries import SummaryState

LEVEL_BITS = 4  # buckets of a level hold 2 ** (LEVEL_BITS * level) steps: buckets.FACTOR is 16
MAX_BITS = 63
MIN_WIDTH, MAX_WIDTH = 10, 2_000
MAX_VALUES = 2_000_000  # in a response
COLUMNS = ("x", "n", "mean", "sd", "min", "max", "nan", "inf")
# What a request reads at most; bins are made wider until it suffices. It takes a second or two.
MAX_POINTS = 300_000
NAMES_PER_POINT = 16  # so many values more cost as much as another row
MAX_BUCKETS = 4_000_000
MAX_LINES = 20_000  # sessions times names
MAX_SECONDS = 5.0  # after which no further session is read


class MemberGraph(NamedTuple):
    """A graph of a session of the group.

    Attributes:
        state: which of its points are summarized.
        most: how many points it has at most: as many as its session.
    """

    ref: GraphRef
    state: SummaryState
    most: int


Member = Sequence[MemberGraph]
"""The graphs of one session that have the title."""


@dataclass(frozen=True)
class Bins:
    """Bins of 2**bits steps with the numbers from first to last, both included; number 0 begins at x = 0."""

    bits: int
    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    @property
    def steps(self) -> tuple[int, int]:
        """The first and the last step."""
        return max(INT64_MIN, self.first << self.bits), min(INT64_MAX, ((self.last + 1) << self.bits) - 1)


def group_series(members: Sequence[Member], x0: int | None, x1: int | None, width: int) -> dict[str, Any]:
    """Mean and spread over sessions of each name of their graphs, in at most `width` bins.

    Args:
        members: of each session its graphs of one title.
        x0, x1: the first and last step that is asked for; None: to the end. Bins at the ends are whole.
        width: of the chart in pixels. A bin is one step wide if every step fits, else as many as make `width` bins
            suffice, and more if the group has more points than can be read in a second or two.

    Returns:
        {"size": steps in a bin, "used": how many of the members were read, the first ones, "series": {name: columns}}.
        The columns have an entry for each bin in which a session has a point: `x`, the first step there that has one;
        `n`, how many sessions have a finite value; `mean`, `min` and `max` over these sessions, null without one; `sd`,
        the sample standard deviation, null with less than two; `nan` and `inf`, how many values were left out.
    """
    deadline = time.monotonic() + MAX_SECONDS
    members = members[: _affordable_members(members)]
    names = len({name for member in members for graph in member for name in graph.ref.names})
    width = max(MIN_WIDTH, min(width, MAX_VALUES // (len(COLUMNS) * max(1, names))))
    spans = [_span(graph.ref, x0, x1) for member in members for graph in member]
    graphs = [graph for member in members for graph in member]
    found = [(graph, span) for graph, span in zip(graphs, spans, strict=True) if span is not None]
    if not found:
        return {"size": 1, "used": len(members), "series": {}}
    bins = _choose_bins(found, width)
    spreads: dict[str, Spread] = {}
    used = 0
    for member in members:
        if used and time.monotonic() > deadline:
            break
        for name, made in _binned(member, bins):
            if name not in spreads:
                spreads[name] = Spread(bins)
            spreads[name].add(made)
        used += 1
    return {"size": 1 << bins.bits, "used": used, "series": {name: part.columns() for name, part in spreads.items()}}


def _affordable_members(members: Sequence[Member]) -> int:
    lines = np.cumsum([sum(len(graph.ref.names) for graph in member) for member in members])
    return max(1, int(np.searchsorted(lines, MAX_LINES, side="right")))


def _span(ref: GraphRef, x0: int | None, x1: int | None) -> tuple[int, int] | None:
    """The first and the last step that a graph has between x0 and x1; None if it has none there."""
    bound = {**ref.key, "x0": INT64_MIN if x0 is None else x0, "x1": INT64_MAX if x1 is None else x1}
    within = f"{OF_GRAPH} AND x BETWEEN :x0 AND :x1"
    ends = f"""SELECT (SELECT x FROM points WHERE {within} ORDER BY x LIMIT 1),
                      (SELECT x FROM points WHERE {within} ORDER BY x DESC LIMIT 1)"""
    first, last = ref.connection.execute(text(ends), bound).one()
    return None if first is None else (first, last)


# how wide the bins are


Found = Sequence[tuple[MemberGraph, tuple[int, int]]]
"""Graphs with the first and the last step that they have in the window."""


def _choose_bins(found: Found, width: int) -> Bins:
    bits = 0
    while _bins(found, bits).count > width:
        bits += 1
    while bits < MAX_BITS and not (_is_few_buckets(found, bits) and _is_few_points(found, _bins(found, bits))):
        bits = min(MAX_BITS, (bits // LEVEL_BITS + 1) * LEVEL_BITS)  # to where coarser buckets can be read
    return _bins(found, bits)


def _bins(found: Found, bits: int) -> Bins:
    return Bins(bits, min(first for _, (first, _) in found) >> bits, max(last for _, (_, last) in found) >> bits)


def _level(state: SummaryState, bits: int) -> int | None:
    """The coarsest level whose buckets lie in one bin each; None if there is none, so that points are to be read."""
    levels = [level for level in state.levels if LEVEL_BITS * level <= bits]
    return levels[-1] if levels else None


def _is_few_buckets(found: Found, bits: int) -> bool:
    count = 0
    for graph, (first, last) in found:
        level = _level(graph.state, bits)
        if level is not None:
            shift = LEVEL_BITS * level
            count += len(graph.ref.names) * ((last >> shift) - (first >> shift) + 1)
    return count <= MAX_BUCKETS


def _is_few_points(found: Found, bins: Bins) -> bool:
    """Whether the points that are not read as buckets are at most MAX_POINTS. Those that never are do not count."""
    raw = [graph for graph, _ in found if graph.state.levels and _level(graph.state, bins.bits) is None]
    costs = [1 + len(graph.ref.names) / NAMES_PER_POINT for graph in raw]
    if sum(cost * graph.most for graph, cost in zip(raw, costs, strict=True)) <= MAX_POINTS:
        return True
    left = float(MAX_POINTS)
    x0, x1 = bins.steps
    for (ref, _, _), cost in zip(raw, costs, strict=True):
        few = f"SELECT 1 FROM points WHERE {OF_GRAPH} AND x BETWEEN :x0 AND :x1 ORDER BY x LIMIT :most"
        bound = {**ref.key, "x0": x0, "x1": x1, "most": int(left / cost) + 1}
        left -= cost * int(ref.connection.execute(text(f"SELECT count(*) FROM ({few}) AS few"), bound).scalar() or 0)
        if left < 0:
            return False
    return True


# reading


def _binned(member: Member, bins: Bins) -> Iterator[tuple[str, np.ndarray]]:
    """(name, buckets numbered as the bins) of each name of a session that has values there."""
    parts: dict[str, list[np.ndarray]] = {}
    for graph in member:
        for name, part in _parts(graph, bins):
            parts.setdefault(name, []).append(part)
    for name, found in parts.items():
        whole = np.concatenate(found)
        yield name, buckets.join(whole, whole["x"] >> bins.bits)


def _parts(graph: MemberGraph, bins: Bins) -> Iterator[tuple[str, np.ndarray]]:
    """Buckets that lie in one bin each and together hold every point of a graph in the bins."""
    ref, state, _ = graph
    x0, x1 = bins.steps
    level = _level(state, bins.bits)
    sealed = state.sealed_through
    if level is not None and sealed is not None:
        shift = LEVEL_BITS * level
        for number, made in bucket_store.read(ref, level, x0 >> shift, min(x1, sealed) >> shift).items():
            yield ref.names[number], made
        if not state.unsealed or sealed >= x1:
            return
        x0 = max(x0, sealed + 1)
    for name, x, column in store.read_values(ref, x0, x1):
        there = has_value(np.ascontiguousarray(column))
        if there.any():
            yield name, buckets.of_points(x[there], np.zeros(there.sum()), column[there])


class Spread:
    """Mean and spread over sessions in each bin, one session after the other.

    By Welford's method (B. P. Welford, Note on a Method for Calculating Corrected Sums of Squares and Products, 1962),
    which loses no digits where the mean is large beside the deviation.
    """

    def __init__(self, bins: Bins) -> None:
        self.first = bins.first
        self.x: np.ndarray = np.full(bins.count, NO_X)
        counts: np.ndarray = np.zeros((3, bins.count), dtype=np.int64)
        self.n, self.nan, self.inf = counts
        self.mean, self.squares = np.zeros((2, bins.count))
        self.low, self.high = np.full(bins.count, np.inf), np.full(bins.count, -np.inf)

    def add(self, made: np.ndarray) -> None:
        """Add a session, as buckets that are numbered as the bins."""
        at: np.ndarray = made["number"] - self.first
        self.x[at] = np.minimum(self.x[at], made["x"])
        self.nan[at] += made["nan"]
        self.inf[at] += made["inf"]
        made = made[made["count"] > 0]
        at = made["number"] - self.first
        # where the sum has overflowed, the mean is at least kept between the extremes
        values = np.clip(made["total"] / made["count"], made["low"], made["high"])
        self.low[at] = np.minimum(self.low[at], values)
        self.high[at] = np.maximum(self.high[at], values)
        self.n[at] += 1
        with np.errstate(over="ignore", invalid="ignore"):
            off = values - self.mean[at]
            self.mean[at] = np.clip(self.mean[at] + off / self.n[at], self.low[at], self.high[at])
            self.squares[at] += off * (values - self.mean[at])

    def columns(self) -> dict[str, list[Any]]:
        """The columns of a response; see group_series."""
        there = self.n + self.nan + self.inf > 0
        n = self.n[there]
        with np.errstate(over="ignore", invalid="ignore"):
            sd = np.sqrt(np.maximum(self.squares[there], 0) / np.maximum(n - 1, 1))
        found = {
            "x": self.x[there],
            "n": n,
            "mean": np.where(n, self.mean[there], np.nan),
            "sd": np.where(n > 1, sd, np.nan),
            "min": np.where(n, self.low[there], np.nan),
            "max": np.where(n, self.high[there], np.nan),
            "nan": self.nan[there],
            "inf": self.inf[there],
        }
        # msgspec writes NaN and infinity as null
        return {name: column.tolist() for name, column in found.items()}
