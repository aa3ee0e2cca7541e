"""Delete the points of a graph after some x, and correct what was computed from them."""

from __future__ import annotations

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


class Rewound(NamedTuple):
    """The number of deleted points, and the graph's statistics and summary state without them."""

    deleted: int
    stats: dict[str, Stat]
    state: SummaryState


def rewind(ref: GraphRef, state: SummaryState, stats: dict[str, Stat], after: int, until: float) -> Rewound | None:
    """Delete a graph's points with x > `after` and time <= `until`; None if there are none.

    Args:
        state, stats: the graph's, as they are before.
        until: unix seconds.
    """
    bound = {**ref.key, "after": after, "until": until}
    matching = f"FROM points WHERE {OF_GRAPH} AND x > :after AND t <= :until"
    lowest, highest = ref.connection.execute(text(f"SELECT min(x), max(x) {matching}"), bound).one()
    if lowest is None:
        return None
    deleted = ref.connection.execute(text(f"DELETE {matching}"), bound).rowcount
    summaries.rebuild(ref, state, lowest, highest)
    left = _remaining_state(ref, state)
    return Rewound(deleted, _remaining_stats(ref, left, stats, after), left)


def find_cut(ref: GraphRef, after: int, until: float) -> int | None:
    """The x after which a rewind can delete points first so that it takes a fraction of a second.

    None if there is nothing to delete. It is `after` if all can be deleted at once.
    """
    bound = {**ref.key, "after": after, "until": until, "few": MAX_POINTS_AT_ONCE}
    greatest = ref.connection.execute(
        text(f"SELECT x FROM points WHERE {OF_GRAPH} AND x > :after AND t <= :until ORDER BY x DESC LIMIT 1"), bound
    ).scalar()
    if greatest is None:
        return None
    # also points that stay count: the summaries of the whole range are made again
    cut = ref.connection.execute(
        text(
            f"SELECT x FROM points WHERE {OF_GRAPH} AND x > :after AND x <= :greatest "
            "ORDER BY x DESC LIMIT 1 OFFSET :few"
        ),
        {**bound, "greatest": greatest},
    ).scalar()
    return after if cut is None else int(min(cut, greatest - 1))


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


def _remaining_stats(ref: GraphRef, state: SummaryState, before: dict[str, Stat], after: int) -> dict[str, Stat]:
    """The statistics out of the summaries and the unsealed points: sealed points are not all read again."""
    stats: dict[str, Stat] = {}
    if state.sealed_through is not None:
        for number, bucket in bucket_store.read_total(ref, state.coarsest_level).items():
            name = ref.names[number]
            stats[name] = _Metric(ref, state, number).stat(bucket[0], before[name], after)
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

    def stat(self, total: Any, before: Stat, after: int) -> Stat:
        """The statistic out of the bucket of all sealed points and the statistic before the rewind."""
        is_finite = int(total["count"]) > 0
        others = int(total["nan"]) + int(total["inf"])
        last = self._values(("count", "nan", "inf"), last=True)[-1]
        nan_x = before["nan_x"]
        if not others:
            nan_x = None
        elif nan_x > after:  # the first to arrive is deleted, and the next is not known: take the first by x
            nan_x = next(x for x, value in self._values(("nan", "inf"), last=False) if isinstance(value, str))
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

    def _values(self, fields: tuple[str, ...], last: bool) -> list[tuple[int, Any]]:
        """(x, value) of the points in the first (or last) bucket of the finest level that counts in these fields."""
        first, end = summaries.find_edge(self.ref, self.state, self.number, fields, last)
        found: list[tuple[int, Any]] = []
        for points in summaries.stored(self.ref, max(first, INT64_MIN), min(end, self.state.first_unsealed_x - 1)):
            found += _pairs(points, self.ref.names[self.number])
        return found


def _pairs(points: PointColumns, name: str) -> list[tuple[int, Any]]:
    column = points.y.get(name)
    if column is None:
        return []
    there = has_value(column)
    return list(zip(points.x[there].tolist(), json_values(column[there]), strict=True))
