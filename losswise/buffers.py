"""Points between the caller's thread and the journal thread: flat typed buffers without a lock.

A row is the point's number in its graph, its x, its time, and its values, eight bytes each. A row is added
with one call of `bytearray.extend`, and taken with a copy of the front and a deletion of the front; each of
these is atomic in the interpreter, so neither thread waits for the other, and no row is lost between them.
A million dictionaries in a queue made the garbage collector stop a loop for 100 ms; it never looks in here.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

HEAD = 3
"""Places of a row before its values: number, x, time."""

MAX_TAKEN = 5_000
"""Rows of a set of names taken at once, so that no copy holds the interpreter's lock for long."""


class Columns:
    """The buffer of one graph and one set of names."""

    __slots__ = ("names", "pack", "rows", "width")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.pack = struct.Struct(f"=qqd{len(names)}d").pack
        self.width = HEAD + len(names)
        self.rows = bytearray()

    def number_after(self, count: int) -> int | None:
        """The number of the row behind the first `count` rows; None where there are no more."""
        place = count * self.width * 8
        return struct.unpack_from("=q", self.rows, place)[0] if len(self.rows) > place else None

    def take(self, before: int) -> Points | None:
        """Take out the rows whose number is below `before`; None where there are none."""
        size = self.width * 8
        data = bytes(self.rows[: min(len(self.rows) // size, MAX_TAKEN + 1_000) * size])
        if not data:
            return None
        whole = array("q", data)
        numbers = whole[0 :: self.width]
        count = len(numbers)
        # only rows that came in the last instant can be too new, so they stand at the end
        while count and numbers[count - 1] >= before:
            count -= 1
        if not count:
            return None
        del self.rows[: count * size]
        end = count * self.width
        floats = array("d", data)
        return Points(
            numbers[:count],
            whole[1 : end : self.width],
            floats[2 : end : self.width],
            {name: floats[HEAD + place : end : self.width] for place, name in enumerate(self.names)},
        )


class Points(NamedTuple):
    """Points of one graph as columns. A None in `y` means that the name has no value there."""

    numbers: Sequence[int]
    x: Sequence[int]
    t: Sequence[float]
    y: dict[str, Any]


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
