"""Flat typed buffers between the caller's thread and the journal writer, without a lock.

A row is the point's sequence number, its x, its time and its values, eight bytes each. The caller adds a row with one
call of `bytearray.extend`, which is atomic under the interpreter lock. The journal writer swaps the filled buffer for
an empty one and reads the old one from the front. (Deleting the front of a bytearray would make the next `extend`
copy everything that is left.) A queue of a million dictionaries made the garbage collector stop a training loop for
100 ms; it never looks inside a bytearray. See docs/adr/0004-flat-buffers.md.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from losswise.values.texts import to_name

HEADER_CELLS = 3  # cells of a row before its values: sequence number, x, time
# Limits of one `take`: how long the copy holds the interpreter lock, and, for rows of a thousand names, its memory
MAX_ROWS_PER_TAKE = 5_000
MAX_BYTES_PER_TAKE = 2 * 1024 * 1024
# From this size on a buffer is swapped out even while an older one is being read: growing it may copy all of it
SWAP_BYTES = 1024 * 1024

_getrefcount = getattr(sys, "getrefcount", lambda rows: 0)
# Swapping relies on the interpreter lock, which free-threaded builds of Python (3.13t and later) lack, and on
# reference counts, which PyPy lacks. There all points take the slow path, a deque, which is safe but slower.
_can_swap = hasattr(sys, "getrefcount") and getattr(sys, "_is_gil_enabled", lambda: True)()

# Distinct sets of metric names that get a buffer; points with further sets take the slow path
MAX_NAME_SETS = 200 if _can_swap else 0
# Of a merged batch, in which a point has an empty cell for each name that only others have
MAX_CELLS_PER_VALUE = 20
# Types whose values are immutable and available at once. NumPy's float64 and bool are subclasses.
PLAIN_NUMBERS = (float, int)


def _unshared_references() -> int:
    """Return what `sys.getrefcount` reports for a buffer held by a list and one local name; it varies by version."""
    old = [bytearray()]
    first = old[0]
    return int(_getrefcount(first))


_UNSHARED = _unshared_references()


def names_for_buffer(names: tuple[Any, ...], buffers: Mapping[Any, PointBuffer]) -> tuple[str, ...] | None:
    """Return a set of metric names as they are recorded; None if no buffer is to be opened for it."""
    if not names or len(buffers) >= MAX_NAME_SETS or any(type(name) is not str for name in names) or names in buffers:
        return None
    plain = tuple(map(to_name, names))
    return plain if len(set(plain)) == len(plain) else None


class PointBuffer:
    """Rows of one graph with one set of metric names.

    Attributes:
        names: names of the values of a row.
        pack: packs a sequence number, an x, a time and the values into a row.
        rows: the buffer that callers extend. Read this attribute again for each row: it is swapped.

    The methods that take rows have an argument `final`: do not wait for appends in flight. A signal handler that ends
    the session may have interrupted such an append on this very thread.
    """

    __slots__ = ("_old", "_read", "_row_bytes", "_take_bytes", "names", "pack", "rows")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.pack = struct.Struct(f"=qqd{len(names)}d").pack
        self.rows = bytearray()
        self._row_bytes = 8 * (HEADER_CELLS + len(names))
        self._take_bytes = self._row_bytes * max(1, min(MAX_ROWS_PER_TAKE, MAX_BYTES_PER_TAKE // self._row_bytes))
        self._old: list[bytearray] = []  # swapped out, oldest first
        self._read = 0  # bytes of the oldest that are taken

    def waiting(self) -> int:
        """Return the number of bytes not yet taken."""
        return len(self.rows) + sum(map(len, self._old)) - self._read

    def held(self) -> int:
        """Return the number of bytes in memory."""
        return len(self.rows) + sum(map(len, self._old))

    def take_limit(self, final: bool = False) -> int | None:
        """Return the sequence number up to which the next `take` is complete.

        One `take` reads a single old buffer and a limited number of its rows, so rows with higher numbers may be left
        over. To merge several buffers in order, take from none of them beyond the lowest of their limits.

        Returns:
            A number greater than that of at least one waiting row; None if the next `take` returns everything.
        """
        self._swap_and_discard(final)
        offset = self._read + self._take_bytes
        first = _number_at(self._old[0], self._read) if self._old and len(self._old[0]) > self._read else -1
        for rows in (*self._old, self.rows):
            if len(rows) > offset:
                # threads number a row before they add it, so this one may even have a lower number than the first
                return max(_number_at(rows, offset), first + 1)
            offset = 0  # one take reads from one buffer only
        return None

    def take(self, before: int, final: bool = False) -> PointBatch | None:
        """Remove and return rows from the front with a sequence number below `before`; None if there are none."""
        self._swap_and_discard(final)
        if not self._old:
            return None
        data = bytes(self._old[0][self._read : self._read + self._take_bytes])
        if not data:
            return None
        width = self._row_bytes // 8
        integers, floats = array("q", data), array("d", data)
        y = {name: floats[HEADER_CELLS + index :: width] for index, name in enumerate(self.names)}
        points, _later = PointBatch(integers[0::width], integers[1::width], floats[2::width], y).split(before)
        if points is not None:
            self._read += len(points.x) * self._row_bytes
            self._swap_and_discard(final)
        return points

    def _swap_and_discard(self, final: bool) -> None:
        """Swap out the filled buffer and discard buffers that are fully read.

        A caller may have loaded `self.rows` and not yet extended it when the buffers are swapped:

            caller         rows = self.rows                        rows.extend(row)
            journal writer                   self.rows = new ... reads the old one

        Such a caller still holds a reference to the old buffer, which shows in its reference count. Until that is
        gone the buffer stays, and no later one is read, so that each thread's rows stay in order. The length is
        compared again after the count, because the caller may have added its row and let go in between.
        """
        if len(self.rows) > SWAP_BYTES or (self.rows and not self._old):
            self._old.append(self.rows)
            self.rows = bytearray()
        while self._old:
            first = self._old[0]
            has_late_append = _getrefcount(first) > _UNSHARED and not final
            if self._read < len(first) or has_late_append or self._read < len(first):
                return
            del self._old[0]
            self._read = 0


def _number_at(rows: bytearray, offset: int) -> int:
    return int(struct.unpack_from("=q", rows, offset)[0])


class SharedPointBuffer(PointBuffer):
    """Rows with one set of metric names that belong to several graphs: `Session.log` writes one row for all of them.

    `members` are, for each graph, the function that receives its points, and its names.
    """

    __slots__ = ("_members",)

    def __init__(
        self, names: tuple[str, ...], members: Sequence[tuple[Callable[[PointBatch], None], Sequence[str]]]
    ) -> None:
        super().__init__(names)
        self._members = members

    def distribute(self, before: int, final: bool = False) -> bool:
        """Take rows as `take` does and give each graph its columns. Returns whether there were any."""
        points = self.take(before, final)
        if points is None:
            return False
        encoded: dict[tuple[int, int], str] = {}
        for receive, names in self._members:
            receive(points._replace(y={name: points.y[name] for name in names}, encoded=encoded))
        return True


class PointBatch(NamedTuple):
    """Points of one graph as columns of equal length.

    Attributes:
        numbers: sequence numbers, in the order of appending.
        x: whole numbers (64 bits); before `XOrder` has seen them, fractions too.
        t: unix seconds.
        y: columns by metric name. None means that the point has no value of that name.
        encoded: shared by batches with the same x and t: the JSON text of these columns, by first and last row, once
            one of the batches is encoded.
    """

    numbers: Sequence[int]
    x: Sequence[int]
    t: Sequence[float]
    y: dict[str, Any]
    encoded: dict[tuple[int, int], str] | None = None

    def split(self, before: int) -> tuple[PointBatch | None, PointBatch | None]:
        """Split before the first row whose sequence number is not below `before`. An empty part is None.

        Rows of several threads are slightly out of order, so lower numbers may follow in the second part.
        """
        if max(self.numbers) < before:
            return self, None
        count = next(index for index, number in enumerate(self.numbers) if number >= before)
        if not count:
            return None, self
        front, back = (
            PointBatch(self.numbers[part], self.x[part], self.t[part], {name: y[part] for name, y in self.y.items()})
            for part in (slice(count), slice(count, None))
        )
        return front, back


def merge_by_names(parts: list[PointBatch]) -> list[PointBatch]:
    """Merge batches as `merge` does, but into several if one would be nearly empty.

    That is so where a script appends the values of a thousand layers one by one: as many points, each with one of a
    thousand names. Batches that share a name stay together, because the points of a name are in order.
    """
    if len(parts) == 1:
        return parts
    points = sum(len(part.x) for part in parts)
    names = len({name for part in parts for name in part.y})
    if points * names <= MAX_CELLS_PER_VALUE * sum(len(part.x) * len(part.y) for part in parts):
        return [merge(parts)]
    group_of = list(range(len(parts)))  # for each part an earlier one of its group, or itself: a union-find forest
    first_of: dict[str, int] = {}

    def root(part: int) -> int:
        while group_of[part] != part:
            group_of[part] = part = group_of[group_of[part]]
        return part

    for index, part in enumerate(parts):
        for name in part.y:
            one, other = root(first_of.setdefault(name, index)), root(index)
            group_of[max(one, other)] = min(one, other)
    groups: dict[int, list[PointBatch]] = {}
    for index, part in enumerate(parts):
        groups.setdefault(root(index), []).append(part)
    return list(map(merge, groups.values()))


def merge(parts: list[PointBatch]) -> PointBatch:
    """Merge batches with different metric names into one, ordered by sequence number."""
    if len(parts) == 1:
        return parts[0]
    order = sorted(
        (number, part, row) for part, points in enumerate(parts) for row, number in enumerate(points.numbers)
    )
    merged: dict[str, list[float | None]] = {}
    for name in dict.fromkeys(name for points in parts for name in points.y):
        columns = [points.y.get(name) for points in parts]
        merged[name] = [None if (column := columns[part]) is None else column[row] for _number, part, row in order]
    return PointBatch(
        [number for number, _part, _row in order],
        [parts[part].x[row] for _number, part, row in order],
        [parts[part].t[row] for _number, part, row in order],
        merged,
    )
