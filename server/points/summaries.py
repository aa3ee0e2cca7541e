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
at any time. Once 256 are unsealed they are sealed together, which is cheaper than writing 16 levels for each batch. A
late point, with an x in the sealed range, is joined into its buckets at once.

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
from .bucket_store import NamedBuckets
from .buckets import EMPTY, FACTOR
from .columns import PointColumns, has_value
from .store import GraphRef

MAX_UNSEALED_POINTS = 256
# a finer level is made when buckets of the finest one have more points than this on average
MAX_BUCKET_POINTS = 64
# the coarsest level has at most this many buckets on either side of x = 0
MAX_COARSEST_BUCKETS = FACTOR
MAX_LEVEL = 15
CHUNK_POINTS = 50_000
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


def update(ref: GraphRef, state: SummaryState, new: list[PointColumns]) -> SummaryState:
    """Bring the summaries up to date after new points, which are stored already. Returns the new state."""
    writer = _SummaryWriter(ref, state)
    late, after = _split(new, state)
    if late:
        writer.join(late)
    added = sum(len(part.x) for part in after)
    unsealed = state.unsealed + added
    if unsealed < MAX_UNSEALED_POINTS:
        return replace(writer.finish(), unsealed=unsealed)
    if state.unsealed:
        writer.seal_stored()
    else:
        writer.seal(after)
    return writer.finish()


def _split(new: list[PointColumns], state: SummaryState) -> tuple[list[PointColumns], list[PointColumns]]:
    """New points within the sealed range, and those after it."""
    if state.sealed_through is None:
        return [], new
    late = [columns.where(columns.x <= state.sealed_through) for columns in new]
    after = [columns.where(columns.x > state.sealed_through) for columns in new]
    return [part for part in late if len(part.x)], [part for part in after if len(part.x)]


class _SummaryWriter:
    """Joins points into the buckets of all levels. `state` is what is summarized so far."""

    def __init__(self, ref: GraphRef, state: SummaryState) -> None:
        self.ref = ref
        self.state = replace(state, unsealed=0)
        self._fullest = 0.0

    def seal_stored(self) -> None:
        """Seal the stored points after the sealed range."""
        for points in stored(self.ref, self.state.first_unsealed_x, INT64_MAX):
            self.seal([points])

    def seal(self, points: list[PointColumns]) -> None:
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
                merged = bucket_store.merge(self.ref, level, new)
                if level == finest:
                    self._fullest = max([self._fullest, *map(_points_per_bucket, merged)])

    def _make_levels(self, points: list[PointColumns]) -> None:
        """Make the levels that the points need."""
        is_first = not self.state.levels
        finest = _finest_level_for(points) if is_first else self.state.finest_level
        lowest, highest = min(int(part.x.min()) for part in points), max(int(part.x.max()) for part in points)
        coarsest = max(finest, _coarsest_level_for(lowest, highest), 0 if is_first else self.state.coarsest_level)
        if not is_first:
            for level in range(self.state.coarsest_level + 1, coarsest + 1):
                bucket_store.fill_from_finer(self.ref, level, INT64_MIN, INT64_MAX)
        self.state = replace(self.state, finest_level=finest, coarsest_level=coarsest)

    def finish(self) -> SummaryState:
        """The state now. Finer levels are made first if the buckets of the finest one have become too full."""
        known = self.state
        if self._fullest > MAX_BUCKET_POINTS and known.finest_level and known.sealed_through is not None:
            finest = min(_level_for_spacing(FACTOR**known.finest_level / self._fullest), known.finest_level - 1)
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
    bound = {"first": max(first, INT64_MIN), "last": min(last, INT64_MAX), "limit": CHUNK_POINTS}
    while bound["first"] <= bound["last"]:
        sequence, points = store.read(ref, where, "LIMIT :limit", **bound)
        if len(sequence):
            yield points
        if len(sequence) < CHUNK_POINTS:
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
