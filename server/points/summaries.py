"""Multi-resolution summaries of a graph's points, kept up to date as points come in.

Level k has one bucket per 16**k values of x. A chart reads the level whose buckets are about a pixel wide, so it costs
what its width costs, however long the graph is:

    x         0 ........................ 255 256 ...................... 511 512 ... 530
    level 2   [          bucket 0          ] [          bucket 1          ]
    level 1   [  0 ][  1 ][  2 ]  ...  [ 15] [ 16 ][ 17 ]   ...     [ 31  ]
    level 0   one bucket per x
              <--------- sealed: in the buckets of every level ---------->  <- unsealed ->
                                                       sealed_through = 511

Points up to `sealed_through` are in the buckets. Those after it are few and are read as points, so a chart is complete
at any time. Once 256 are unsealed they are sealed together, which is cheaper than writing 16 levels for each batch. Of
many graphs that are logged together, each batch seals some. A late point, with an x in the sealed range, is joined into
its buckets at once. If points lie so far apart that sealing them would take long, later batches seal the rest.

The finest level is the one whose buckets have some points each, so the size of the summaries depends on the number of
points and not on the spacing of their x.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from . import bucket_store, buckets, store
from .bucket_store import PAGE_BUCKETS, NamedBuckets
from .buckets import EMPTY, FACTOR
from .columns import PointColumns, has_value
from .store import GraphRef

MAX_UNSEALED_POINTS = 256
# Graphs that are logged together would all be sealed in one transaction, for which others wait: with a thousand graphs,
# seconds. A transaction seals this many; the others wait for later ones, until they have so many times as many points.
MAX_SEALED_GRAPHS = 10
WAITING_FACTOR = 4
# a finer level is made when buckets of the finest one have more points than this on average
MAX_BUCKET_POINTS = 64
# the coarsest level has at most this many buckets on either side of x = 0
MAX_COARSEST_BUCKETS = FACTOR
MAX_LEVEL = 15
# Written in one transaction in order to seal points: more than the largest batch of points in a row needs.
MAX_SEALED_PAGES = 100_000
MAX_REFINED_VALUES = 300_000  # of a graph for which finer levels are made, times these levels
CHUNK_POINTS = 50_000
CHUNK_VALUES = 2_000_000
CHUNK_NAMES = 64


@dataclass(frozen=True)
class SummaryState:
    """The extent to which a graph's points are summarized.

    Attributes:
        sealed_through: all points with an x up to this one are summarized; None if none is.
        unsealed: how many points are after it.
        finest_level, coarsest_level: the levels that exist, and all between them.
    """

    sealed_through: int | None = None
    unsealed: int = 0
    finest_level: int = 0
    coarsest_level: int = 0

    @classmethod
    def load(cls, value: list[Any] | None) -> SummaryState:
        """The state out of a session's row; None for a graph without points."""
        return cls(*value) if value else cls()

    def dump(self) -> list[Any]:
        return [self.sealed_through, self.unsealed, self.finest_level, self.coarsest_level]

    @property
    def levels(self) -> range:
        return range(self.finest_level, self.coarsest_level + 1) if self.sealed_through is not None else range(0)

    @property
    def first_unsealed_x(self) -> int:
        """The least x that an unsealed point may have; one more than an int64 holds if all is sealed up to its end."""
        return INT64_MIN if self.sealed_through is None else self.sealed_through + 1


# new points


class SealingRoom:
    """The pages that may still be written in a transaction in order to seal points, and of how many graphs."""

    def __init__(self) -> None:
        self.pages = MAX_SEALED_PAGES
        self.graphs = MAX_SEALED_GRAPHS

    def is_due(self, unsealed: int) -> bool:
        """Whether to seal a graph with so many unsealed points."""
        return unsealed >= MAX_UNSEALED_POINTS and (self.graphs > 0 or unsealed >= WAITING_FACTOR * MAX_UNSEALED_POINTS)


def late_pages(state: SummaryState, new: list[PointColumns], most: int) -> int:
    """How many pages of summaries new points within the sealed range change; less precise up to `most`."""
    late, _ = _split(new, state)
    if not late:
        return 0
    lowest = min(int(part.x.min()) for part in late)
    coarsest = max(state.coarsest_level, _coarsest_level_for(lowest, lowest))
    return _count_pages(late, range(state.finest_level, coarsest + 1), most)


def _count_pages(points: list[PointColumns], levels: range, most: int) -> int:
    """In how many pages of these levels the points lie, if each has all names; more where that is `most` at most."""
    names = len({name for part in points for name in part.y})
    count = sum(len(part.x) for part in points)
    lowest, highest = min(int(part.x.min()) for part in points), max(int(part.x.max()) for part in points)
    pages = sum(min(count, (highest - lowest) // (FACTOR**level * PAGE_BUCKETS) + 2) for level in levels)
    if names * pages <= most:
        return names * pages
    x = np.unique(np.concatenate([part.x for part in points]))
    return names * sum(1 + int(np.count_nonzero(np.diff(_page_of(x, level)))) for level in levels)


def _page_of(x: np.ndarray, level: int) -> np.ndarray:
    page: np.ndarray = x // FACTOR**level // PAGE_BUCKETS
    return page


def update(ref: GraphRef, state: SummaryState, new: list[PointColumns], values: int, room: SealingRoom) -> SummaryState:
    """Bring the summaries up to date after new points, which are stored already. Returns the new state.

    Args:
        values: how many values the graph has.
        room: what may be written to seal points; it is reduced.
    """
    late, after = _split(new, state)
    unsealed = state.unsealed + sum(len(part.x) for part in after)
    if not late and not room.is_due(unsealed):  # most batches: nothing to write
        return SummaryState(state.sealed_through, unsealed, state.finest_level, state.coarsest_level)
    writer = _SummaryWriter(ref, state, room)
    if late:
        writer.join(late)
    if room.is_due(unsealed):
        room.graphs -= 1
        unsealed -= writer.seal(after, is_all=not state.unsealed)
    return replace(writer.finish(values), unsealed=unsealed)


def _split(new: list[PointColumns], state: SummaryState) -> tuple[list[PointColumns], list[PointColumns]]:
    """New points within the sealed range, and those after it."""
    if state.sealed_through is None:
        return [], new
    late: list[PointColumns] = []
    after: list[PointColumns] = []
    for columns in new:
        is_late = columns.x <= state.sealed_through
        if not is_late.any():
            after.append(columns)
        elif is_late.all():
            late.append(columns)
        else:
            late.append(columns.where(is_late))
            after.append(columns.where(~is_late))
    return late, after


class _SummaryWriter:
    """Joins points into the buckets of all levels. `state` is what is summarized so far."""

    def __init__(self, ref: GraphRef, state: SummaryState, room: SealingRoom) -> None:
        self.ref = ref
        self.state = replace(state, unsealed=0)
        self._room = room
        self._fullest = 0.0

    def seal(self, new: list[PointColumns], is_all: bool) -> int:
        """Seal points after the sealed range, as many as there is room for; returns how many.

        Args:
            new: those that the batch brings.
            is_all: whether these are all that are unsealed. Otherwise the stored ones are read.
        """
        if is_all and (pages := _count_pages(new, self._levels_for(new), self._room.pages)) <= self._room.pages:
            self._room.pages -= pages
            self._extend(new)
            return sum(len(part.x) for part in new)
        sealed = 0
        for points in stored(self.ref, self.state.first_unsealed_x, INT64_MAX):
            part = self._affordable(points)
            if len(part.x):
                self._extend([part])
            sealed += len(part.x)
            if len(part.x) < len(points.x):
                break
        return sealed

    def _affordable(self, points: PointColumns) -> PointColumns:
        """As many of the points, which are sorted by x, as there is room for; of one x all or none."""
        starts: np.ndarray = np.zeros(len(points.x), dtype=np.int64)  # how many pages begin with each point
        for level in self._levels_for([points]):
            page = _page_of(points.x, level)
            starts[1:] += page[1:] != page[:-1]
            sealed = self.state.sealed_through
            starts[0] += sealed is None or page[0] != sealed // FACTOR**level // PAGE_BUCKETS
        cost = np.cumsum(starts) * max(1, len(points.y))
        count = int(np.searchsorted(cost, self._room.pages, side="right"))
        if count < len(points.x):
            count = int(np.searchsorted(points.x, points.x[count]))
        if count:
            self._room.pages -= int(cost[count - 1])
        return points.where(slice(count))

    def _extend(self, points: list[PointColumns]) -> None:
        """Join points after the sealed range, and extend it."""
        self.join(points)
        greatest = max(int(part.x.max()) for part in points)
        self.state = replace(self.state, sealed_through=max(greatest, self.state.first_unsealed_x - 1))

    def join(self, points: list[PointColumns]) -> None:
        self._make_levels(points)
        finest, coarsest = self.state.finest_level, self.state.coarsest_level
        names = iter(self.ref.names)
        while chunk := list(islice(names, CHUNK_NAMES)):
            new = _buckets_of(points, self.ref, chunk, finest)
            for level in range(finest, coarsest + 1):
                if level > finest:
                    new = {name: buckets.coarsen(part) for name, part in new.items()}
                merged = bucket_store.merge(self.ref, level, new, self._last_stored(level))
                if level == finest:
                    self._fullest = max([self._fullest, *map(_points_per_bucket, merged)])

    def _last_stored(self, level: int) -> int:
        """The number of the last bucket that may be stored at this level."""
        sealed = self.state.sealed_through
        return INT64_MIN if sealed is None else sealed // FACTOR**level

    def _levels_for(self, points: list[PointColumns]) -> range:
        """The levels that there must be with these points."""
        is_first = not self.state.levels
        finest = _finest_level_for(points) if is_first else self.state.finest_level
        lowest, highest = min(int(part.x.min()) for part in points), max(int(part.x.max()) for part in points)
        coarsest = max(finest, _coarsest_level_for(lowest, highest), 0 if is_first else self.state.coarsest_level)
        return range(finest, coarsest + 1)

    def _make_levels(self, points: list[PointColumns]) -> None:
        levels = self._levels_for(points)
        if self.state.levels:
            for level in range(self.state.coarsest_level + 1, levels.stop):
                bucket_store.fill_from_finer(self.ref, level, INT64_MIN, INT64_MAX)
        self.state = replace(self.state, finest_level=levels.start, coarsest_level=levels.stop - 1)

    def finish(self, values: int) -> SummaryState:
        """The state now. Finer levels are made first if the buckets of the finest one have become too full.

        That rereads all points of the graph, so it is not done once they are many.

        Args:
            values: how many values the graph has.
        """
        known = self.state
        if self._fullest > MAX_BUCKET_POINTS and known.finest_level and known.sealed_through is not None:
            finest = min(_level_for_spacing(FACTOR**known.finest_level / self._fullest), known.finest_level - 1)
            if values * (known.finest_level - finest) <= MAX_REFINED_VALUES:
                self.state = replace(known, finest_level=finest)
                for level in range(finest, known.finest_level):
                    _make(self.ref, self.state, level, INT64_MIN, known.sealed_through)
        return self.state


def _points_per_bucket(made: np.ndarray) -> float:
    return float((made["count"] + made["nan"] + made["inf"]).mean())


def _finest_level_for(points: list[PointColumns]) -> int:
    """The finest level whose buckets have at least two points, if all points are spaced like these."""
    lowest, highest = min(int(part.x.min()) for part in points), max(int(part.x.max()) for part in points)
    return _level_for_spacing((highest - lowest + 1) / sum(len(part.x) for part in points))


def _level_for_spacing(spacing: float) -> int:
    level = 0
    while level < MAX_LEVEL and FACTOR**level < 2 * spacing:
        level += 1
    return level


def _coarsest_level_for(lowest: int, highest: int) -> int:
    level = 0
    while level < MAX_LEVEL and not (
        -MAX_COARSEST_BUCKETS <= lowest // FACTOR**level and highest // FACTOR**level < MAX_COARSEST_BUCKETS
    ):
        level += 1
    return level


def stored(ref: GraphRef, first: int, last: int) -> Iterator[PointColumns]:
    """A graph's stored points with x from `first` to `last`, in chunks."""
    where = "AND x BETWEEN :first AND :last"
    limit = max(1, min(CHUNK_POINTS, CHUNK_VALUES // max(1, len(ref.names))))
    bound = {"first": max(first, INT64_MIN), "last": min(last, INT64_MAX), "limit": limit}
    while bound["first"] <= bound["last"]:
        sequence, points = store.read(ref, where, "LIMIT :limit", **bound)
        if len(sequence):
            yield points
        if len(sequence) < limit:
            return
        where = "AND x BETWEEN :first AND :last AND (x > :first OR sequence > :sequence)"
        bound |= {"first": int(points.x[-1]), "sequence": int(sequence[-1])}


def _buckets_of(points: list[PointColumns], ref: GraphRef, names: Iterable[str], level: int) -> NamedBuckets:
    """The points as buckets of a level."""
    found: NamedBuckets = {}
    index_of = {name: index for index, name in enumerate(ref.names)}
    for name in names:
        parts = []
        for columns in points:
            column = columns.y.get(name)
            if column is not None and (there := has_value(column)).any():
                parts.append(buckets.of_points(columns.x[there], columns.t[there], column[there]))
        if parts:
            found[index_of[name]] = buckets.coarsen(np.concatenate(parts), FACTOR**level)
    return found


# deleted points


def rebuild(ref: GraphRef, state: SummaryState, lowest: int, highest: int) -> None:
    """Make the buckets of every level from x = `lowest` to `highest` again, after points there were deleted."""
    if state.sealed_through is None or lowest > state.sealed_through:
        return
    highest = min(highest, state.sealed_through)
    for level in state.levels:
        bucket_store.delete(ref, level, lowest // FACTOR**level, highest // FACTOR**level)
        _make(ref, state, level, lowest, highest)


def _make(ref: GraphRef, state: SummaryState, level: int, lowest: int, highest: int) -> None:
    """Make the level's buckets, which do not exist, for the sealed points from x = `lowest` to `highest`."""
    assert state.sealed_through is not None
    size = FACTOR**level
    if level > state.finest_level:
        bucket_store.fill_from_finer(ref, level, lowest // size, highest // size)
        return
    last = min(highest // size * size + size - 1, state.sealed_through)
    for points in stored(ref, lowest // size * size, last):
        names = iter(ref.names)
        while chunk := list(islice(names, CHUNK_NAMES)):
            bucket_store.merge(ref, level, _buckets_of([points], ref, chunk, level))


def find_edge(ref: GraphRef, state: SummaryState, name: int, fields: tuple[str, ...], last: bool) -> tuple[int, int]:
    """First and last x of the first (or last) bucket of the finest level in which one of these fields is not 0.

    The search goes down the levels, so it reads a few pages, however many buckets there are.

    Args:
        name: the index of the name.
        fields: counts of a bucket, such as ("nan", "inf"); some bucket must have one.
    """
    first, end = INT64_MIN, INT64_MAX
    for level in reversed(state.levels):
        found = bucket_store.read(ref, level, first // FACTOR**level, end // FACTOR**level).get(name, EMPTY)
        found = found[sum(found[field] for field in fields) > 0]
        number = int(found["number"][-1 if last else 0])
        first, end = number * FACTOR**level, (number + 1) * FACTOR**level - 1
    return first, end
