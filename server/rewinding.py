"""Taking points back: those behind a place of x, with what was worked out from them."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection

from . import pointstore, statistics, summaries
from .buckets import FACTOR
from .columns import has_value, json_values
from .pointstore import Lines
from .statistics import Stat
from .summaries import Seal


class Taken(NamedTuple):
    """How many points are gone, and the graph's statistics and seal without them."""

    gone: int
    stats: dict[str, Stat]
    seal: Seal


def take_back(
    connection: Connection,
    session_key: int,
    graph: dict[str, Any],
    seal: Seal,
    stats: dict[str, Stat],
    after: int,
    until: float,
    arrivals: int,
) -> Taken | None:
    """Delete a graph's points with x > `after` and time <= `until`; None where there are none.

    graph: its row; seal, stats: what they are now; arrivals: how many points have arrived in the session.
    """
    number, lines = graph["number"], Lines(graph["names"], graph["forms"])
    gone = pointstore.delete(
        connection, session_key, number, "AND x > :after AND t <= :until", after=after, until=until
    )
    if not gone:
        return None
    if not seal.levels:
        return _from_points(connection, session_key, number, lines, gone)
    if seal.loose:
        seal = summaries.seal(connection, session_key, number, lines, seal, (), arrivals)
    summaries.rebuild_after(connection, session_key, number, lines, after, seal.levels)
    whole = summaries.whole(connection, session_key, number, seal.levels)
    left = {}
    for place, bucket in whole.items():
        quantity = _Quantity(connection, session_key, number, lines, place)
        name = lines.names[place]
        left[name] = quantity.stat(bucket[0], stats[name], after, seal.levels)
    return Taken(gone, left, Seal(arrivals, levels=seal.levels))


def _from_points(connection: Connection, session_key: int, number: int, lines: Lines, gone: int) -> Taken:
    """Nothing was sealed yet, so there are few points."""
    _, points = pointstore.read(connection, session_key, number, lines)
    stats = {name: statistics.add_column(None, points.x, column) for name, column in points.y.items()}
    stats = {name: stat for name, stat in stats.items() if stat["count"]}
    return Taken(gone, stats, Seal().with_loose(points.x) if len(points.x) else Seal())


class _Quantity(NamedTuple):
    """One name of a graph whose points are all sealed."""

    connection: Connection
    session_key: int
    number: int
    lines: Lines
    place: int

    def stat(self, whole: Any, before: Stat, after: int, levels: int) -> Stat:
        """The statistic, out of the bucket of all points. `before` is what it was."""
        found = int(whole["count"]) > 0
        others = int(whole["nan"]) + int(whole["inf"])
        last = self._values_at(self._bucket(("count", "nan", "inf"), levels, last=True))[-1]
        nan_x = before["nan_x"]
        if not others:
            nan_x = None
        elif nan_x > after:  # which came first is not known any more: the first by x
            values = self._values_at(self._bucket(("nan", "inf"), levels, last=False))
            nan_x = next(x for x, value in values if isinstance(value, str))
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

    def _bucket(self, fields: tuple[str, ...], levels: int, last: bool) -> int:
        found = summaries.edge_place(self.connection, self.session_key, self.number, levels, self.place, fields, last)
        assert found is not None
        return found

    def _values_at(self, bucket: int) -> list[tuple[int, Any]]:
        """(x, value) of the points of a bucket of level 1."""
        first = bucket * FACTOR
        _, points = pointstore.read(
            self.connection,
            self.session_key,
            self.number,
            self.lines,
            "AND x BETWEEN :first AND :last",
            first=first,
            last=first + FACTOR - 1,
        )
        column = points.y[self.lines.names[self.place]]
        there = has_value(column)
        return list(zip(points.x[there].tolist(), json_values(column[there]), strict=True))
