"""Between the caller's thread and the scribe: flat typed buffers without a lock.

A row is the point's number in its graph, its x, its time, and its values, eight bytes each. The caller adds a
row with one call of `bytearray.extend`, which is atomic in the interpreter. The scribe takes the whole buffer
away, puts an empty one in its place, and reads the old one from its front. (To delete the front of a buffer
would make the next `extend` copy all that is left.) A million dictionaries in a queue made the garbage
collector stop a loop for 100 ms; it never looks in here.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

HEAD = 3
"""Places of a row before its values: number, x, time."""

MAX_TAKEN = 5_000
"""Rows of a set of names taken at once, so that no copy holds the interpreter's lock for long."""

CHUNK = 1024 * 1024
"""Bytes from which on a buffer is taken away, since a large one may be copied whole when it grows."""

_references = getattr(sys, "getrefcount", lambda rows: 0)


def _references_alone() -> int:
    """References to a buffer that only its Columns holds: the list, a local name, the question itself. How many
    these are differs between versions of Python."""
    old = [bytearray()]
    first = old[0]
    return int(_references(first))


_NOBODY_ELSE = _references_alone()


class Columns:
    """The buffer of one graph and one set of names.

    Attributes:
        names: of the values of a row.
        pack: makes a row of a number, an x, a time and the values.
        rows: where callers add rows. Ask for it anew for each row.
        is_last: wait for no caller that has asked and not added its row: a signal handler that ends the session
            may have interrupted it there.
    """

    __slots__ = ("_old", "_read", "_size", "is_last", "names", "pack", "rows")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.pack = struct.Struct(f"=qqd{len(names)}d").pack
        self.rows = bytearray()
        self._size = 8 * (HEAD + len(names))
        self._old: list[bytearray] = []
        self._read = 0  # bytes of the first old buffer
        self.is_last = False

    def waiting(self) -> int:
        """Bytes that are not taken yet."""
        return self.held() - self._read

    def held(self) -> int:
        """Bytes in memory."""
        return len(self.rows) + sum(map(len, self._old))

    def number_beyond(self) -> int | None:
        """A number below which the next `take` takes something, and all that there is; None: without a limit."""
        self._turn()
        place = self._read + MAX_TAKEN * self._size
        first = _number(self._old[0], self._read) if self._old and len(self._old[0]) > self._read else -1
        for rows in (*self._old, self.rows):
            if len(rows) > place:
                return max(_number(rows, place), first + 1)  # a thread may be late with a row by any number of rows
            place = 0  # a take reads from one buffer only
        return None

    def take(self, before: int) -> Points | None:
        """Take rows whose number is below `before`, at most MAX_TAKEN; None where there are none."""
        self._turn()
        if not self._old:
            return None
        data = bytes(self._old[0][self._read : self._read + MAX_TAKEN * self._size])
        if not data:
            return None
        width = self._size // 8
        whole = array("q", data)
        numbers = whole[0::width]
        count = len(numbers)
        if max(numbers) >= before:
            # what stands behind the first row that is too new waits with it, since threads are not in step
            count = next(place for place, number in enumerate(numbers) if number >= before)
        if not count:
            return None
        self._read += count * self._size
        self._turn()
        end = count * width
        floats = array("d", data)
        return Points(
            numbers[:count],
            whole[1:end:width],
            floats[2:end:width],
            {name: floats[HEAD + place : end : width] for place, name in enumerate(self.names)},
        )

    def _turn(self) -> None:
        """Take away what callers have filled, and drop what is read to its end.

        A caller that has asked for a buffer and not added its row yet holds a reference to it; until then no
        later buffer is read, so that each thread's rows stay in order.
        """
        if len(self.rows) > CHUNK or (self.rows and not self._old):
            self._old.append(self.rows)
            self.rows = bytearray()
        while self._old:
            first = self._old[0]
            is_awaited = _references(first) > _NOBODY_ELSE and not self.is_last
            if self._read < len(first) or is_awaited or self._read < len(first):
                return
            del self._old[0]
            self._read = 0


def _number(rows: bytearray, place: int) -> int:
    return int(struct.unpack_from("=q", rows, place)[0])


class Spread(Columns):
    """The buffer of a set of names that belong to several graphs: one row for all of them.

    Args:
        names: of the values of a row.
        members: of each graph, what takes its points, and its names.
    """

    __slots__ = ("_members",)

    def __init__(self, names: tuple[str, ...], members: Sequence[tuple[Callable[[Points], None], Sequence[str]]]):
        super().__init__(names)
        self._members = members

    def let_go(self, is_last: bool) -> None:
        self.is_last = is_last

    def hand_out(self, before: int) -> bool:
        """Give the graphs their parts of the rows that `take` takes. False: there are none."""
        points = self.take(before)
        if points is None:
            return False
        encoded: dict[str, str] = {}
        for receive, names in self._members:
            receive(points._replace(y={name: points.y[name] for name in names}, encoded=encoded))
        return True


class Points(NamedTuple):
    """Points of one graph as columns. A None in `y` means that the name has no value there.

    Attributes:
        encoded: where several graphs have the same x and t, these as text, once one of them is written.
    """

    numbers: Sequence[int]
    x: Sequence[int]
    t: Sequence[float]
    y: dict[str, Any]
    encoded: dict[str, str] | None = None

    def split(self, before: int) -> tuple[Points | None, Points | None]:
        """The rows before the first one whose number is not below `before`, and the others."""
        if max(self.numbers) < before:
            return self, None
        count = next(place for place, number in enumerate(self.numbers) if number >= before)
        if not count:
            return None, self
        front, back = (
            Points(self.numbers[part], self.x[part], self.t[part], {name: y[part] for name, y in self.y.items()})
            for part in (slice(count), slice(count, None))
        )
        return front, back


def merge(parts: list[Points]) -> Points:
    """Points of several sets of names as one, in the order in which they came."""
    if len(parts) == 1:
        return parts[0]
    order = sorted(
        (number, part, row) for part, points in enumerate(parts) for row, number in enumerate(points.numbers)
    )
    names = list(dict.fromkeys(name for points in parts for name in points.y))
    merged: dict[str, list[float | None]] = {}
    for name in names:
        columns = [points.y.get(name) for points in parts]
        merged[name] = [None if (column := columns[part]) is None else column[row] for _number, part, row in order]
    return Points(
        [number for number, _part, _row in order],
        [parts[part].x[row] for _number, part, row in order],
        [parts[part].t[row] for _number, part, row in order],
        merged,
    )


MAX_COLUMNS = 200
"""Sets of names that get a buffer of their own; what is beyond goes by the side way."""
PLAIN = (float, int)
"""Numbers that cannot change and are at hand; NumPy's float64 and bool are among them."""
