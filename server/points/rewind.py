"""Taking points back: those behind a place of x, with what was worked out from them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import text

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from . import bucket_store, statistics, summaries
from .columns import Columns, has_value, json_values
from .statistics import Stat
from .store import OF_GRAPH, Place
from .summaries import Seal


class Taken(NamedTuple):
    """How many points are gone, and the graph's statistics and seal without them."""

    gone: int
    stats: dict[str, Stat]
    seal: Seal


def take_back(place: Place, seal: Seal, stats: dict[str, Stat], after: int, until: float) -> Taken | None:
    """Delete a graph's points with x > `after` and time <= `until`; None where there are none.

    seal, stats: what they are now.
    """
    bound = {**place.key, "after": after, "until": until}
    of_them = f"FROM points WHERE {OF_GRAPH} AND x > :after AND t <= :until"
    lowest, highest = place.connection.execute(text(f"SELECT min(x), max(x) {of_them}"), bound).one()
    if lowest is None:
        return None
    gone = place.connection.execute(text(f"DELETE {of_them}"), bound).rowcount
    summaries.rebuild(place, seal, lowest, highest)
    left = _seal_of_the_rest(place, seal)
    return Taken(gone, _stats_of_the_rest(place, left, stats, after), left)


def _seal_of_the_rest(place: Place, seal: Seal) -> Seal:
    """The frontier goes back to the last point that is left."""
    bound = {**place.key, "behind": seal.behind()}
    asked = f"""SELECT (SELECT max(x) FROM points WHERE {OF_GRAPH}),
                       (SELECT count(*) FROM points WHERE {OF_GRAPH} AND x >= :behind)"""
    greatest, loose = place.connection.execute(text(asked), bound).one()
    if greatest is None or seal.frontier is None:
        return Seal(loose=loose)
    return Seal(min(seal.frontier, greatest), loose, seal.base, seal.top)


def _stats_of_the_rest(place: Place, seal: Seal, before: dict[str, Stat], after: int) -> dict[str, Stat]:
    stats: dict[str, Stat] = {}
    if seal.frontier is not None:
        for name, bucket in bucket_store.whole(place, seal.top).items():
            title = place.lines.names[name]
            stats[title] = _Quantity(place, seal, name).stat(bucket[0], before[title], after)
    for points in summaries.stored(place, seal.behind(), INT64_MAX):
        for title, column in points.y.items():
            stat = statistics.add_column(stats.get(title), points.x, column)
            if stat["count"]:
                stats[title] = stat
    return stats


class _Quantity(NamedTuple):
    """One name of a graph, as far as it is sealed."""

    place: Place
    seal: Seal
    name: int

    def stat(self, whole: Any, before: Stat, after: int) -> Stat:
        """The statistic, out of the bucket of all sealed points. `before` is what it was."""
        found = int(whole["count"]) > 0
        others = int(whole["nan"]) + int(whole["inf"])
        last = self._values(("count", "nan", "inf"), last=True)[-1]
        nan_x = before["nan_x"]
        if not others:
            nan_x = None
        elif nan_x > after:  # which came first is not known any more: the first by x
            nan_x = next(x for x, value in self._values(("nan", "inf"), last=False) if isinstance(value, str))
        return {
            "min": float(whole["low"]) if found else None,
            "min_x": int(whole["low_x"]) if found else None,
            "max": float(whole["high"]) if found else None,
            "max_x": int(whole["high_x"]) if found else None,
            "last": last[1],
            "last_x": last[0],
            "count": int(whole["count"]) + others,
            "nan": others,
            "nan_x": nan_x,
        }

    def _values(self, fields: tuple[str, ...], last: bool) -> list[tuple[int, Any]]:
        """(x, value) of the points in the first (or last) bucket of the base in which one of the fields counts."""
        first, end = summaries.edge(self.place, self.seal, self.name, fields, last)
        found: list[tuple[int, Any]] = []
        for points in summaries.stored(self.place, max(first, INT64_MIN), min(end, self.seal.behind() - 1)):
            found += _pairs(points, self.place.lines.names[self.name])
        return found


def _pairs(points: Columns, name: str) -> list[tuple[int, Any]]:
    column = points.y.get(name)
    if column is None:
        return []
    there = has_value(column)
    return list(zip(points.x[there].tolist(), json_values(column[there]), strict=True))
