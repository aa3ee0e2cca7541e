"""Points of one graph on their way to the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from losswise.recording.point_buffer import (
    HEADER_CELLS,
    MAX_NAME_SETS,
    MAX_ROWS_PER_TAKE,
    PointBatch,
    PointBuffer,
    merge,
)
from losswise.util.messages import say_once
from losswise.values.jsonable import to_name
from losswise.values.scalars import detach, is_pending, to_float, to_x

PENDING_POINT_BYTES = 500
"""Estimate of the memory of a point on the slow path."""


class PendingPoint:
    """A point on the slow path: its values are not plain numbers, or its set of names is new.

    Attributes:
        is_pending: an accelerator may still be computing a value, so that reading it would block.
    """

    __slots__ = ("is_pending", "number", "t", "x", "y")

    def __init__(self, number: int, x: Any, t: float, y: Any) -> None:
        self.number, self.x, self.t, self.y = number, x, t, y
        self.is_pending = is_pending(x) or (isinstance(y, dict) and any(map(is_pending, y.values())))

    def read(self) -> None:
        """Wait for the values and convert them. What is not a number is left as it is, for the warning."""
        try:
            whole = to_x(self.x)
            self.x = self.x if whole is None else whole
            for name, value in self.y.items() if isinstance(self.y, dict) else ():
                number = to_float(value)
                if number is not None:
                    self.y[name] = number
        finally:
            self.is_pending = False


class GraphBuffer:
    """Points of one graph: filled by `Graph.append` on any thread, emptied by the journal writer.

    Attributes:
        by_names: a buffer for each set of metric names that `append` has seen; `append` adds its rows there.
    """

    def __init__(self, graph_id: str, title: str) -> None:
        self.graph_id = graph_id
        self.title = title
        self.by_names: dict[Any, PointBuffer] = {}
        self._slow: deque[PendingPoint] = deque()
        self._received: list[PointBatch] = []

    # the caller's thread

    def add_slow(self, number: int, x: Any, t: float, y: Any) -> None:
        """Add a point of any values, and open a buffer for its set of names if it has none."""
        values = {key: detach(value) for key, value in y.items()} if hasattr(y, "items") else y
        self._slow.append(PendingPoint(number, detach(x), t, values))
        if isinstance(values, dict):
            self._open_buffer(tuple(values))

    def _open_buffer(self, names: tuple[Any, ...]) -> None:
        is_new = names and names not in self.by_names and len(self.by_names) < MAX_NAME_SETS
        if is_new and all(type(name) is str and to_name(name) == name for name in names):
            self.by_names.setdefault(names, PointBuffer(names))  # another thread may have been faster

    # the journal writer's thread, unless noted

    def clear(self) -> None:
        """Discard everything: in a forked child, whose parent sends it, and when nothing can be recorded any more."""
        self.by_names.clear()
        self._slow.clear()
        self._received = []

    def is_empty(self) -> bool:
        """Return whether all points are taken. Called by any thread."""
        if self._slow or self._received:
            return False
        return not any(map(PointBuffer.waiting, list(self.by_names.values())))

    def held(self) -> int:
        """Return about how many bytes are in memory. Called by any thread."""
        buffered = sum(buffer.held() for buffer in list(self.by_names.values()))
        received = sum(8 * (HEADER_CELLS + len(points.y)) * len(points.x) for points in self._received)
        return buffered + received + PENDING_POINT_BYTES * len(self._slow)

    def has_pending(self) -> bool:
        """Return whether points wait whose values an accelerator may still be computing."""
        return bool(self._slow) and any(point.is_pending for point in self._slow.copy())

    def read_pending(self) -> None:
        """Wait for the values of such points. Called on a thread of its own."""
        for point in self._slow.copy():
            if point.is_pending:
                point.read()

    def discard_pending(self) -> None:
        """Discard points whose values are not computed yet, so that the points behind them are not lost too."""
        for _ in range(len(self._slow)):
            point = self._slow.popleft()
            if not point.is_pending:
                self._slow.append(point)

    def set_final(self, is_final: bool) -> None:
        """Set `PointBuffer.is_final` of all buffers."""
        for buffer in list(self.by_names.values()):
            buffer.is_final = is_final

    def receive(self, points: PointBatch) -> None:
        """Take over points of a buffer that several graphs share."""
        self._received.append(points)

    def take(self, limit: int) -> Iterator[PointBatch]:
        """Remove and yield batches of points with a sequence number below `limit`, in the order of appending.

        A point whose values are pending keeps the points behind it back.
        """
        while True:
            # how far this round can go without overtaking a point that another round has to take
            slow, below = self._take_slow(limit)
            for buffer in list(self.by_names.values()):
                buffer_limit = buffer.take_limit()
                below = below if buffer_limit is None else min(below, buffer_limit)
            # what lies before that, from all three sources; what was taken too early goes back
            parts = [part for buffer in list(self.by_names.values()) if (part := buffer.take(below))]
            parts.extend(self._take_received(below))
            while slow and slow[-1].number >= below:
                self._slow.appendleft(slow.pop())
            parts.extend(self._convert(slow))
            if parts:
                yield merge(parts)
            elif not slow:  # if points were only dropped, others may wait behind them
                return

    def _take_received(self, limit: int) -> list[PointBatch]:
        if not self._received:
            return []
        parts = [points.split(limit) for points in self._received]
        self._received = [later for _now, later in parts if later]
        return [now for now, _later in parts if now]

    def _take_slow(self, limit: int) -> tuple[list[PendingPoint], int]:
        """Remove the points of the slow path that are ready, from the front.

        Returns:
            The points, and the sequence number below which all points of the slow path are among them.
        """
        taken: list[PendingPoint] = []
        for _ in range(min(len(self._slow), MAX_ROWS_PER_TAKE)):
            point = self._slow.popleft()
            if point.number >= limit or point.is_pending:
                self._slow.appendleft(point)
                return taken, min(limit, point.number)
            taken.append(point)
        if self._slow:
            limit = min(limit, self._slow[0].number)
        return taken, limit

    def _convert(self, points: list[PendingPoint]) -> list[PointBatch]:
        """Convert points of the slow path, one batch for each set of names. Points without any number are dropped."""
        parts: dict[tuple[str, ...], tuple[list[int], list[int], list[float], list[list[float]]]] = {}
        for point in points:
            converted = self._to_numbers(point)
            if converted is None:
                continue
            x, values = converted
            numbers, xs, ts, rows = parts.setdefault(tuple(values), ([], [], [], []))
            numbers.append(point.number)
            xs.append(x)
            ts.append(point.t)
            rows.append(list(values.values()))
        return [
            PointBatch(numbers, xs, ts, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
            for names, (numbers, xs, ts, rows) in parts.items()
        ]

    def _to_numbers(self, point: PendingPoint) -> tuple[int, dict[str, float]] | None:
        """Return x and the values, or None, with one warning, if nothing of the point is a number."""
        where = f"graph {self.title!r}"
        if not isinstance(point.y, dict):
            say_once(
                ("y", self.graph_id), f"{where}: append takes (x, {{name: value}}), not {_short(point.y)}; ignored"
            )
            return None
        x = to_x(point.x)
        if x is None:
            say_once(
                ("x", self.graph_id), f"{where}: x must be a whole number of 64 bits, not {_short(point.x)}; ignored"
            )
            return None
        values: dict[str, float] = {}
        for name, value in point.y.items():
            number = to_float(value)
            if number is None:
                say_once(
                    ("value", self.graph_id, name),
                    f"{where}: the value of {_short(name)} is not a number ({_short(value)}); ignored",
                )
                continue
            values[to_name(name)] = number
        return (x, values) if values else None


def _short(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:60] + "…"
