"""Records as lines of a journal, encoded in slices.

The JSON encoder holds the interpreter's lock for a whole call. A call here encodes about a millisecond's
worth, and between calls the lock is offered to the training.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from losswise.protocol.numbers import encode_number
from losswise.recording.point_buffer import PointBatch
from losswise.values.jsonable import dumps

SLICE = 2_000
"""Numbers encoded in one call."""
BREATH = 0.0001
"""Seconds to sleep between two calls: a sleep of 0 gives the lock away and takes it right back."""
MAX_CELLS = 50_000
"""Numbers in one record, so that a record stays around a megabyte."""
MAX_ROWS = 10_000


def points_lines(graph_id: str, points: PointBatch) -> Iterator[tuple[bytes, int]]:
    """Points records as lines, each with its number of points. `type` stands first, as readers expect."""
    total = len(points.x)
    rows = max(1, min(MAX_ROWS, MAX_CELLS // (len(points.y) + 2)))
    for start in range(0, total, rows):
        part = slice(start, min(total, start + rows))
        columns = ",".join(f"{dumps(name)}:{_column(column[part])}" for name, column in points.y.items())
        line = f'{{"type":"points","graph":"{graph_id}",{_places(points, part)},"y":{{{columns}}}}}\n'
        yield line.encode(), part.stop - start


def _places(points: PointBatch, part: slice) -> str:
    """The x and t of points. Where several graphs have the same, they are encoded once."""
    known = points.encoded
    key = f"{part.start}:{part.stop}"
    if known is not None and key in known:
        return known[key]
    text = f'"x":{_column(points.x[part])},"t":{_times(points.t[part])}'
    if known is not None:
        known[key] = text
    return text


def _times(column: Sequence[float]) -> str:
    """Unix seconds to the tenth of a millisecond: all digits of a clock take half of the encoder's time."""
    parts = []
    for start in range(0, len(column), SLICE):
        part = tuple(column[start : start + SLICE])
        parts.append(",".join(["%.4f"] * len(part)) % part)
        _breathe(column)
    return f"[{','.join(parts)}]"


def _breathe(column: Sequence[Any]) -> None:
    if len(column) > SLICE // 4:
        time.sleep(BREATH)


def _column(column: Sequence[Any]) -> str:
    parts = []
    for start in range(0, len(column), SLICE):
        part = list(column[start : start + SLICE])
        try:
            finite = math.isfinite(math.fsum(part))
        except (TypeError, OverflowError, ValueError):  # None among them, a sum too large, both infinities
            finite = False
        if not finite:
            part = [encode_number(number) if type(number) is float else number for number in part]
        parts.append(dumps(part)[1:-1])
        _breathe(column)
    return f"[{','.join(parts)}]"
