"""Buckets beside the points, in levels: level k holds buckets of 16 ** k places of x, 64 of them a row ("a page").

A graph's points up to a place of x, its frontier, are sealed: they are in the buckets of every level. The points behind
it are loose: few, and read as they are, so a chart is complete at every moment. Once 256 are loose they are sealed; one
that comes late, in front of the frontier, is joined into its buckets at once. The finest level that is kept, the base,
has some points a bucket, so what summaries take depends on the number of points, not on how they are spaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from . import bucket_store, buckets, store
from .bucket_store import Made
from .buckets import EMPTY, FACTOR
from .columns import Columns, has_value
from .store import Lines, Place

LOOSE_MOST = 256
DENSE = 64
"""Where the base's buckets have more points than this, a finer base is made."""
TOP = FACTOR
"""The highest level has numbers from -16 to 15."""
LEVELS_MOST = 15
POINTS_AT_ONCE = 50_000
NAMES_AT_ONCE = 64


@dataclass(frozen=True)
class Seal:
    """What of a graph is in its summaries: every point with x <= `frontier` (None: nothing is).

    The levels from `base` to `top` are there; `loose` points lie behind the frontier.
    """

    frontier: int | None = None
    loose: int = 0
    base: int = 0
    top: int = 0

    @classmethod
    def load(cls, value: list[Any] | None) -> Seal:
        return cls(*value) if value else cls()

    def dump(self) -> list[Any]:
        return [self.frontier, self.loose, self.base, self.top]

    @property
    def levels(self) -> range:
        return range(self.base, self.top + 1) if self.frontier is not None else range(0)

    def behind(self) -> int:
        """The least x that a loose point may have."""
        return INT64_MIN if self.frontier is None else self.frontier + 1


# keeping up


def keep_up(place: Place, known: Seal, new: list[Columns]) -> Seal:
    """The seal after new points, which are stored already, are counted, and sealed where it is time."""
    sealing = _Sealing(place, known)
    late, loose = _parted(new, known)
    if late:
        sealing.join(late)
    at_hand = sum(len(part.x) for part in loose)
    count = known.loose + at_hand
    if count < LOOSE_MOST:
        return replace(sealing.finish(), loose=count)
    if known.loose:
        sealing.advance_stored()
    else:
        sealing.advance(loose)
    return sealing.finish()


def seal(place: Place, known: Seal) -> Seal:
    """The seal after all loose points, read from the database, are sealed."""
    sealing = _Sealing(place, known)
    sealing.advance_stored()
    return sealing.finish()


def _parted(new: list[Columns], known: Seal) -> tuple[list[Columns], list[Columns]]:
    """New points in front of the frontier and behind it."""
    if known.frontier is None:
        return [], new
    late = [columns.where(columns.x <= known.frontier) for columns in new]
    loose = [columns.where(columns.x > known.frontier) for columns in new]
    return [part for part in late if len(part.x)], [part for part in loose if len(part.x)]


class _Sealing:
    """Joins points into the levels."""

    def __init__(self, place: Place, known: Seal) -> None:
        self.place = place
        self.seal = replace(known, loose=0)
        self._fullest = 0.0

    def advance_stored(self) -> None:
        """Seal the stored points behind the frontier."""
        for points in stored(self.place, self.seal.behind(), INT64_MAX):
            self.advance([points])

    def advance(self, points: list[Columns]) -> None:
        """Join points that lie behind the frontier, and move it."""
        self.join(points)
        greatest = max(int(part.x.max()) for part in points)
        self.seal = replace(self.seal, frontier=max(greatest, self.seal.behind() - 1))

    def join(self, points: list[Columns]) -> None:
        self._make_levels(points)
        names = iter(self.place.lines.names)
        while some := list(islice(names, NAMES_AT_ONCE)):
            made = _of_points(points, self.place.lines, some, self.seal.base)
            for level in range(self.seal.base, self.seal.top + 1):
                if level > self.seal.base:
                    made = {name: buckets.at_level(part) for name, part in made.items()}
                merged = bucket_store.merge(self.place, level, made)
                if level == self.seal.base:
                    self._fullest = max([self._fullest, *map(_points_a_bucket, merged)])

    def _make_levels(self, points: list[Columns]) -> None:
        """Have the levels that the points need."""
        is_first = not self.seal.levels
        base = _base_for(points) if is_first else self.seal.base
        lowest, highest = min(int(part.x.min()) for part in points), max(int(part.x.max()) for part in points)
        top = max(base, _top_for(lowest, highest), 0 if is_first else self.seal.top)
        if not is_first:
            for level in range(self.seal.top + 1, top + 1):
                bucket_store.fill(self.place, level, level - 1, INT64_MIN, INT64_MAX)
        self.seal = replace(self.seal, base=base, top=top)

    def finish(self) -> Seal:
        """The seal now. Where points have come to lie closer than those by which the base was chosen, finer levels
        are made first."""
        known = self.seal
        if self._fullest > DENSE and known.base and known.frontier is not None:
            base = min(_finest(FACTOR**known.base / self._fullest), known.base - 1)
            self.seal = replace(known, base=base)
            for level in range(base, known.base):
                _make(self.place, self.seal, level, INT64_MIN, known.frontier)
        return self.seal


def _points_a_bucket(made: np.ndarray) -> float:
    return float((made["count"] + made["nan"] + made["inf"]).mean())


def _base_for(points: list[Columns]) -> int:
    """The finest level whose buckets have two points or more where points are spaced like these."""
    lowest, highest = min(int(part.x.min()) for part in points), max(int(part.x.max()) for part in points)
    return _finest((highest - lowest + 1) / sum(len(part.x) for part in points))


def _finest(spacing: float) -> int:
    base = 0
    while base < LEVELS_MOST and FACTOR**base < 2 * spacing:
        base += 1
    return base


def _top_for(lowest: int, highest: int) -> int:
    top = 0
    while top < LEVELS_MOST and not (-TOP <= lowest // FACTOR**top and highest // FACTOR**top < TOP):
        top += 1
    return top


def stored(place: Place, first: int, last: int) -> Iterator[Columns]:
    """A graph's stored points with x from `first` to `last`, a piece at a time."""
    where = "AND x BETWEEN :first AND :last"
    bound = {"first": max(first, INT64_MIN), "last": min(last, INT64_MAX), "most": POINTS_AT_ONCE}
    while bound["first"] <= bound["last"]:
        arrival, points = store.read(place, where, "LIMIT :most", **bound)
        if len(arrival):
            yield points
        if len(arrival) < POINTS_AT_ONCE:
            return
        where = "AND x BETWEEN :first AND :last AND (x > :first OR sequence > :sequence)"
        bound |= {"first": int(points.x[-1]), "sequence": int(arrival[-1])}


def _of_points(points: list[Columns], lines: Lines, names: Iterable[str], level: int) -> Made:
    """Buckets of a level out of points."""
    made: Made = {}
    place_of = {name: place for place, name in enumerate(lines.names)}
    for name in names:
        parts = []
        for columns in points:
            column = columns.y.get(name)
            if column is not None and (there := has_value(column)).any():
                parts.append(buckets.of_points(columns.x[there], columns.t[there], column[there]))
        if parts:
            made[place_of[name]] = buckets.at_level(np.concatenate(parts), FACTOR**level)
    return made


# taking back


def rebuild(place: Place, known: Seal, lowest: int, highest: int) -> None:
    """Make every level's buckets from x = `lowest` to `highest` again: points there were taken back."""
    if known.frontier is None or lowest > known.frontier:
        return
    highest = min(highest, known.frontier)
    for level in known.levels:
        bucket_store.cut(place, level, lowest // FACTOR**level, highest // FACTOR**level)
        _make(place, known, level, lowest, highest)


def _make(place: Place, known: Seal, level: int, lowest: int, highest: int) -> None:
    """Make the level's buckets, which are not there, of the sealed points from x = `lowest` to `highest`."""
    assert known.frontier is not None
    size = FACTOR**level
    if level > known.base:
        bucket_store.fill(place, level, level - 1, lowest // size, highest // size)
        return
    last = min(highest // size * size + size - 1, known.frontier)
    for points in stored(place, lowest // size * size, last):
        names = iter(place.lines.names)
        while some := list(islice(names, NAMES_AT_ONCE)):
            bucket_store.merge(place, level, _of_points([points], place.lines, some, level))


def edge(place: Place, known: Seal, name: int, fields: tuple[str, ...], last: bool) -> tuple[int, int]:
    """First and last x of the first (or last) bucket of the base in which one of the fields counts something."""
    first, end = INT64_MIN, INT64_MAX
    for level in reversed(known.levels):
        found = bucket_store.read(place, level, first // FACTOR**level, end // FACTOR**level).get(name, EMPTY)
        found = found[sum(found[field] for field in fields) > 0]
        number = int(found["number"][-1 if last else 0])
        first, end = number * FACTOR**level, (number + 1) * FACTOR**level - 1
    return first, end
