"""Records as lines of a journal, encoded in slices.

The JSON encoder holds the interpreter's lock for a whole call. A call here encodes about a millisecond's
worth, and between calls the lock is offered to the training.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from losswise.buffers import Points
from losswise.plain import dumps
from losswise.records import Record, encode_number

SLICE = 2_000
"""Numbers encoded in one call."""
BREATH = 0.0001
"""Seconds to sleep between two calls: a sleep of 0 gives the lock away and takes it right back."""
MAX_CELLS = 50_000
"""Numbers in one record, so that a record stays around a megabyte."""
MAX_ROWS = 10_000


def record_line(record: Record) -> bytes:
    return dumps(record).encode() + b"\n"


def points_lines(graph_id: str, points: Points) -> Iterator[tuple[bytes, int]]:
    """Points records as lines, each with its number of points. `type` stands first, as readers expect."""
    total = len(points.x)
    rows = max(1, min(MAX_ROWS, MAX_CELLS // (len(points.y) + 2)))
    for start in range(0, total, rows):
        end = min(total, start + rows)
        columns = ",".join(f"{dumps(name)}:{_column(column[start:end])}" for name, column in points.y.items())
        x, t = _column(points.x[start:end]), _column(points.t[start:end])
        line = f'{{"type":"points","graph":"{graph_id}","x":{x},"t":{t},"y":{{{columns}}}}}\n'
        yield line.encode(), end - start


def _column(column: Sequence[Any]) -> str:
    parts = []
    for start in range(0, len(column), SLICE):
        part = list(column[start : start + SLICE])
        try:
            finite = math.isfinite(math.fsum(part))
        except (TypeError, OverflowError):  # None among them, or a sum too large
            finite = False
        if not finite:
            part = [encode_number(number) if type(number) is float else number for number in part]
        parts.append(dumps(part)[1:-1])
        if len(column) > SLICE // 4:
            time.sleep(BREATH)
    return f"[{','.join(parts)}]"
