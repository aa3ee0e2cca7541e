"""Buckets of neighbouring points, in levels: level k holds buckets of 16 ** k places of x.

A bucket is written once, when a greater x has passed it; a late point or a rewind writes its buckets again. What
is not yet closed is read from the level below, at last from the points themselves, so a chart is complete at
every moment. A bucket is {name: [count, min, min_x, max, max_x, sum, nan, inf]}: count, min, max and sum are over
finite values (min and max None without one), nan and inf count the others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from losswise.records import INT64_MAX, INT64_MIN

from . import pointstore

FACTOR = 16
LEVELS = 12
LARGEST = sys.float_info.max  # a sum that overflows stays a number

Cell = list[Any]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, list[Any]]).decode


@dataclass
class Bucket:
    """Some neighbouring points of a graph: x and t of the first of them, and a cell a name."""

    x: int
    t: float
    cells: dict[str, Cell] = field(default_factory=dict)

    def add(self, x: int, y: dict[str, Any]) -> None:
        for name, value in y.items():
            cell = self.cells.get(name)
            if cell is None:
                cell = self.cells[name] = [0, None, None, None, None, 0.0, 0, 0]
            if value.__class__ is str:
                cell[6 if value == "NaN" else 7] += 1
                continue
            cell[0] += 1
            cell[5] = max(-LARGEST, min(LARGEST, cell[5] + value))
            if cell[1] is None or value < cell[1]:
                cell[1], cell[2] = value, x
            if cell[3] is None or value > cell[3]:
                cell[3], cell[4] = value, x

    def merge(self, other: Bucket) -> None:
        for name, theirs in other.cells.items():
            ours = self.cells.get(name)
            if ours is None:
                self.cells[name] = list(theirs)
                continue
            if theirs[1] is not None and (ours[1] is None or theirs[1] < ours[1]):
                ours[1:3] = theirs[1:3]
            if theirs[3] is not None and (ours[3] is None or theirs[3] > ours[3]):
                ours[3:5] = theirs[3:5]
            for place in (0, 5, 6, 7):
                ours[place] += theirs[place]
            ours[5] = max(-LARGEST, min(LARGEST, ours[5]))


def keep_up(
    connection: Connection,
    session_key: int,
    graph: int,
    touched: Iterable[int],
    previous: int | None,
    greatest: int,
) -> None:
    """Write the buckets that new points closed or changed.

    touched: every x of the new points, already stored; previous, greatest: the graph's greatest x before and now.
    """
    buckets = {x // FACTOR for x in touched}
    if previous is not None:
        buckets.add(previous // FACTOR)
    _write_levels(connection, session_key, graph, buckets, greatest)


def rebuild_after(connection: Connection, session_key: int, graph: int, after: int, greatest: int | None) -> None:
    """Write the buckets from x = `after` on again: points behind it were taken back."""
    for level in range(1, LEVELS + 1):
        connection.execute(
            text(
                "DELETE FROM summaries WHERE session_key = :session_key AND graph = :graph "
                "AND level = :level AND bucket >= :bucket"
            ),
            {"session_key": session_key, "graph": graph, "level": level, "bucket": after // FACTOR**level},
        )
    if greatest is None:
        return
    first = after // FACTOR
    remaining = pointstore.select(
        connection, session_key, graph, "AND x >= :start", start=max(first * FACTOR, INT64_MIN)
    )
    buckets = {x // FACTOR for x, _, _, _ in remaining}
    _write_levels(connection, session_key, graph, buckets | {first}, greatest)


def read(
    connection: Connection, session_key: int, graph: int, level: int, first: int, last: int
) -> Iterator[tuple[int, Bucket]]:
    """(number, bucket) of a level's written buckets, from `first` to `last` inclusive."""
    rows = connection.execute(
        text(
            "SELECT bucket, x, t, CAST(y AS TEXT) FROM summaries WHERE session_key = :session_key "
            "AND graph = :graph AND level = :level AND bucket BETWEEN :first AND :last ORDER BY bucket"
        ),
        {"session_key": session_key, "graph": graph, "level": level, "first": first, "last": last},
    )
    for number, x, t, y in rows:
        yield number, Bucket(x, t, _decode(y))


def from_points(
    connection: Connection, session_key: int, graph: int, x0: int, x1: int, width: int
) -> Iterator[tuple[int, Bucket]]:
    """(x // width, bucket) of the points with x0 <= x <= x1."""
    x0, x1 = max(x0, INT64_MIN), min(x1, INT64_MAX)
    points = pointstore.select(connection, session_key, graph, "AND x BETWEEN :x0 AND :x1", x0=x0, x1=x1)
    number, bucket = 0, None
    for x, _, t, y in points:
        if bucket is None or x // width != number:
            if bucket is not None:
                yield number, bucket
            number, bucket = x // width, Bucket(x, t)
        bucket.add(x, y)
    if bucket is not None:
        yield number, bucket


def _write_levels(connection: Connection, session_key: int, graph: int, buckets: set[int], greatest: int) -> None:
    for level in range(1, LEVELS + 1):
        closed = sorted(number for number in buckets if number < greatest // FACTOR**level)
        if not closed:
            return
        for first, last in _runs(closed):
            if level == 1:
                x0, x1 = first * FACTOR, (last + 1) * FACTOR - 1
                made = dict(from_points(connection, session_key, graph, x0, x1, FACTOR))
            else:
                made = _from_level_below(connection, session_key, graph, level, first, last)
            _store(connection, session_key, graph, level, made)
        buckets = {number // FACTOR for number in closed}


def _from_level_below(
    connection: Connection, session_key: int, graph: int, level: int, first: int, last: int
) -> dict[int, Bucket]:
    made: dict[int, Bucket] = {}
    below = read(connection, session_key, graph, level - 1, first * FACTOR, (last + 1) * FACTOR - 1)
    for number, bucket in below:
        whole = made.setdefault(number // FACTOR, Bucket(bucket.x, bucket.t))
        whole.merge(bucket)
    return made


def _store(connection: Connection, session_key: int, graph: int, level: int, made: dict[int, Bucket]) -> None:
    if not made:
        return
    connection.execute(
        text(
            "INSERT INTO summaries (session_key, graph, level, bucket, x, t, y) "
            "VALUES (:session_key, :graph, :level, :bucket, :x, :t, :y) "
            "ON CONFLICT (session_key, graph, level, bucket) DO UPDATE SET "
            "x = excluded.x, t = excluded.t, y = excluded.y"
        ),
        [
            {
                "session_key": session_key,
                "graph": graph,
                "level": level,
                "bucket": number,
                "x": bucket.x,
                "t": bucket.t,
                "y": _encode(bucket.cells).decode(),
            }
            for number, bucket in made.items()
        ],
    )


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbours in a sorted list."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last
