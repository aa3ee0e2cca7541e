"""Delete points of a graph, and correct what was computed from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import text

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from . import bucket_store, statistics, summaries
from .columns import PointColumns, has_value, json_values
from .statistics import Stat
from .store import OF_GRAPH, GraphRef
from .summaries import SummaryState

MAX_POINTS_AT_ONCE = 50_000
"""How many points a part of a rewind in parts covers; those that stay count, too."""
MAX_POINTS_SEARCHED = 200_000
"""How many points are searched at once for those that a rewind in parts deletes."""
MAX_BLOCKS = 16
"""Equal parts of the range of x in which deleted points are looked for: what lies between them is not made again."""


class Rewound(NamedTuple):
    """The number of deleted points, and the graph's statistics and summary state without them."""

    deleted: int
    stats: dict[str, Stat]
    state: SummaryState


Range = tuple[int, int]
"""The least and the greatest x."""


def rewind(
    ref: GraphRef, state: SummaryState, stats: dict[str, Stat], within: Range, where: str, bound: Mapping[str, Any]
) -> Rewound | None:
    """Delete those of a graph's points that match a condition; None if there are none.

    Args:
        state, stats: the graph's, as they are before.
        within: only points with these x.
        where: the condition in SQL; its parameters are in `bound`.
    """
    bound = _bound(ref, bound, within)
    matching = f"FROM points WHERE {WITHIN} AND ({where})"
    ranges = list(_ranges(ref, matching, bound))
    if not ranges:
        return None
    deleted = ref.connection.execute(text(f"DELETE {matching}"), bound).rowcount
    for first, last in ranges:
        summaries.rebuild(ref, state, first, last)
    left = _remaining_state(ref, state)
    return Rewound(deleted, _remaining_stats(ref, left, stats, ranges), left)


def _ranges(ref: GraphRef, matching: str, bound: dict[str, Any]) -> Iterator[Range]:
    """The ranges of x with points to be deleted, and few others."""
    ends = f"""SELECT (SELECT x FROM points WHERE {WITHIN} ORDER BY x LIMIT 1),
                      (SELECT x FROM points WHERE {WITHIN} ORDER BY x DESC LIMIT 1)"""
    least, greatest = ref.connection.execute(text(ends), bound).one()
    if least is None:
        return
    size = (greatest - least) // MAX_BLOCKS + 1
    blocks = text(f"SELECT x / :size AS block, min(x), max(x) {matching} GROUP BY block ORDER BY block")
    found: Range | None = None
    before = 0
    for block, first, last in ref.connection.execute(blocks, {**bound, "size": size}).all():
        if found is not None and block > before + 1:
            yield found
            found = None
        found = (first if found is None else found[0], last)
        before = block
    if found is not None:
        yield found


def limit_search(ref: GraphRef, within: Range) -> Range:
    """The upper end of a range of x, so small that searching it for points takes a fraction of a second."""
    beyond = f"SELECT x FROM points WHERE {WITHIN} ORDER BY x DESC LIMIT 1 OFFSET :few"
    bound = _bound(ref, {"few": MAX_POINTS_SEARCHED}, within)
    lowest = ref.connection.execute(text(beyond), bound).scalar()
    return within if lowest is None else (int(lowest), within[1])


def find_part(ref: GraphRef, within: Range, where: str, bound: Mapping[str, Any]) -> Range | None:
    """The x of the last points that match, so few that `rewind` takes a fraction of a second; None if none do."""
    bound = _bound(ref, bound, within)
    select = f"SELECT x FROM points WHERE {WITHIN}"
    last = f"{select} AND ({where}) ORDER BY x DESC LIMIT 1"
    greatest = ref.connection.execute(text(last), bound).scalar()
    if greatest is None:
        return None
    # also points that stay count: the summaries of the whole range are made again
    beyond = f"{select} ORDER BY x DESC LIMIT 1 OFFSET :few"
    bound |= {"highest": greatest, "few": MAX_POINTS_AT_ONCE}
    cut = ref.connection.execute(text(beyond), bound).scalar()
    return within[0] if cut is None else int(min(cut + 1, greatest)), int(greatest)


WITHIN = f"{OF_GRAPH} AND x >= :lowest AND x <= :highest"


def _bound(ref: GraphRef, bound: Mapping[str, Any], within: Range) -> dict[str, Any]:
    return {**ref.key, **bound, "lowest": within[0], "highest": within[1]}


def _remaining_state(ref: GraphRef, state: SummaryState) -> SummaryState:
    """The sealed range ends at the last point that is left."""
    query = f"""SELECT (SELECT max(x) FROM points WHERE {OF_GRAPH}),
                       (SELECT count(*) FROM points WHERE {OF_GRAPH} AND x > :sealed_through)"""
    if state.sealed_through is None:
        query = f"SELECT max(x), count(*) FROM points WHERE {OF_GRAPH}"
    greatest, unsealed = ref.connection.execute(text(query), {**ref.key, "sealed_through": state.sealed_through}).one()
    if greatest is None or state.sealed_through is None:
        return SummaryState(unsealed=unsealed)
    return replace(state, sealed_through=min(state.sealed_through, greatest), unsealed=unsealed)


def _remaining_stats(
    ref: GraphRef, state: SummaryState, before: dict[str, Stat], ranges: list[Range]
) -> dict[str, Stat]:
    """The statistics out of the summaries and the unsealed points: sealed points are not all read again."""
    stats: dict[str, Stat] = {}
    if state.sealed_through is not None:
        for number, bucket in bucket_store.read_total(ref, state.coarsest_level).items():
            name = ref.names[number]
            stats[name] = _Metric(ref, state, number).stat(bucket[0], before[name], ranges)
    for points in summaries.stored(ref, state.first_unsealed_x, INT64_MAX):
        for name, column in points.y.items():
            stat = statistics.add_column(stats.get(name), points.x, column)
            if stat["count"]:
                stats[name] = stat
    return stats


class _Metric(NamedTuple):
    """The sealed points of one name of a graph."""

    ref: GraphRef
    state: SummaryState
    number: int

    def stat(self, total: Any, before: Stat, ranges: list[Range]) -> Stat:
        """The statistic out of the bucket of all sealed points and the statistic before the rewind."""
        is_finite = int(total["count"]) > 0
        others = int(total["nan"]) + int(total["inf"])
        last = self._edge(("count", "nan", "inf"), last=True)[-1]
        nan_x = before["nan_x"]
        if not others:
            nan_x = None
        elif any(start <= nan_x <= end for start, end in ranges) and not self._not_finite(nan_x, nan_x):
            # the first to arrive is deleted, and the next is not known: take the first by x
            nan_x = next(x for x, value in self._edge(("nan", "inf"), last=False) if isinstance(value, str))
        return {
            "min": float(total["low"]) if is_finite else None,
            "min_x": int(total["low_x"]) if is_finite else None,
            "max": float(total["high"]) if is_finite else None,
            "max_x": int(total["high_x"]) if is_finite else None,
            "last": last[1],
            "last_x": last[0],
            "count": int(total["count"]) + others,
            "nan": others,
            "nan_x": nan_x,
        }

    def _edge(self, fields: tuple[str, ...], last: bool) -> list[tuple[int, Any]]:
        """(x, value) of the points in the first (or last) bucket of the finest level that counts in these fields."""
        first, end = summaries.find_edge(self.ref, self.state, self.number, fields, last)
        return list(self._values(max(first, INT64_MIN), min(end, self.state.first_unsealed_x - 1)))

    def _not_finite(self, first: int, last: int) -> bool:
        """Return whether a value from x = `first` to `last` is NaN or infinite."""
        return any(isinstance(value, str) for _, value in self._values(first, last))

    def _values(self, first: int, last: int) -> Iterator[tuple[int, Any]]:
        for points in summaries.stored(self.ref, first, last):
            yield from _pairs(points, self.ref.names[self.number])


def _pairs(points: PointColumns, name: str) -> list[tuple[int, Any]]:
    column = points.y.get(name)
    if column is None:
        return []
    there = has_value(column)
    return list(zip(points.x[there].tolist(), json_values(column[there]), strict=True))
