"""Encode points as lines of a journal, in slices.

The JSON encoder holds the interpreter lock for a whole call. So a call here encodes about a millisecond's worth, and
between two calls the lock is yielded to the training.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from losswise.protocol.records import encode_number
from losswise.recording.point_buffer import PointBatch
from losswise.values.jsonable import dumps

NUMBERS_PER_SLICE = 2_000  # encoded in one call, which takes about a millisecond
YIELD_S = 0.0001  # sleep between two calls; after a sleep of 0 this thread would take the lock right back
MAX_RECORD_NUMBERS = 50_000  # so that a record stays around a megabyte
MAX_RECORD_ROWS = 10_000


def points_lines(graph_id: str, points: PointBatch) -> Iterator[tuple[bytes, int]]:
    """Yield points records as lines, each with its number of points. `type` comes first, as readers expect."""
    total = len(points.x)
    rows = max(1, min(MAX_RECORD_ROWS, MAX_RECORD_NUMBERS // (len(points.y) + 2)))
    encoded = {} if points.encoded is None else points.encoded
    for start in range(0, total, rows):
        part = slice(start, min(total, start + rows))
        key = start, part.stop
        if key not in encoded:
            # to a tenth of a millisecond: all digits of a clock would take half of the encoder's time
            times = ",".join(",".join(["%.4f"] * len(t)) % tuple(t) for t in _slices(points.t[part]))
            encoded[key] = f'"x":{_numbers(points.x[part])},"t":[{times}]'
        columns = ",".join(f"{dumps(name)}:{_numbers(column[part])}" for name, column in points.y.items())
        line = f'{{"type":"points","graph":"{graph_id}",{encoded[key]},"y":{{{columns}}}}}\n'
        yield line.encode(), part.stop - start


def _numbers(column: Sequence[Any]) -> str:
    """Encode numbers and None. NaN and infinities become strings, see `encode_number`."""
    parts = []
    for part in _slices(column):
        try:
            finite = math.isfinite(math.fsum(part))
        except (TypeError, OverflowError, ValueError):  # None among them, a sum too large, both infinities
            finite = False
        if not finite:
            part = [encode_number(number) if type(number) is float else number for number in part]
        parts.append(dumps(part)[1:-1])
    return f"[{','.join(parts)}]"


def _slices(column: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield slices of a column, and after each slice of a long column yield the interpreter lock."""
    is_long = len(column) > NUMBERS_PER_SLICE // 4
    for start in range(0, len(column), NUMBERS_PER_SLICE):
        yield list(column[start : start + NUMBERS_PER_SLICE])
        if is_long:
            time.sleep(YIELD_S)
