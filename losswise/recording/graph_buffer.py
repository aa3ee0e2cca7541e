"""Points of one graph on their way to the journal."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from losswise.protocol.records import Record
from losswise.recording.point_buffer import (
    HEADER_CELLS,
    MAX_ROWS_PER_TAKE,
    PointBatch,
    PointBuffer,
    merge,
    merge_by_names,
    names_for_buffer,
)
from losswise.recording.x_order import XOrder
from losswise.util.messages import notify_once
from losswise.util.unreliable import has, short, tried
from losswise.values.containers import to_dict
from losswise.values.scalars import detach, is_pending, to_float, to_step
from losswise.values.texts import to_name

PENDING_POINT_BYTES = 500  # estimated memory of a point on the slow path


class PendingPoint:
    """A point on the slow path: its values are not plain numbers, or its set of names is new.

    Attributes:
        is_pending: an accelerator may still be computing a value, so that reading it would block.
    """

    __slots__ = ("is_pending", "number", "t", "x", "y")

    def __init__(self, number: int, x: Any, t: float, y: Any) -> None:
        self.number, self.x, self.t, self.y = number, x, t, y
        self.is_pending = is_pending(x) or (type(y) is dict and any(map(is_pending, y.values())))

    def read(self) -> None:
        """Wait for the values and convert them. What is not a number is left as it is, for the warning."""
        try:
            step = to_step(self.x)
            self.x = self.x if step is None else step
            for name, value in self.y.items() if type(self.y) is dict else ():
                number = to_float(value)
                if number is not None:
                    self.y[name] = number
        finally:
            self.is_pending = False


class GraphBuffer:
    """Points of one graph: filled by `Graph.append` on any thread, emptied by the journal writer.

    Args:
        describe: returns the record of the graph with this number in its title, for names beyond the limit of one
            graph. None: the session has too many graphs, and the points of this one are dropped.

    Attributes:
        by_names: a buffer for each set of metric names that `append` has seen; `append` adds its rows there.
        received: batches from buffers that several graphs share.
        part_of, further: which part of the graph each name is on, and the records of further parts; see
            `FurtherGraphs`.
    """

    def __init__(self, graph_id: str, title: str, describe: Callable[[int], Record] | None) -> None:
        self.graph_id = graph_id
        self.title = title
        self.describe = describe
        self.by_names: dict[Any, PointBuffer] = {}
        self._slow: deque[PendingPoint] = deque()
        self.received: list[PointBatch] = []
        self.part_of: dict[str, int] = {}
        self.further: dict[int, Record | None] = {}
        self._x_order = XOrder(graph_id, title)

    # the caller's thread

    def add_slow(self, number: int, x: Any, t: float, y: Any) -> None:
        """Add a point of any values, and open a buffer for its set of names if it has none."""
        values = y if type(y) is dict or not has(y, "items") else tried(to_dict, y)
        values = {key: detach(value) for key, value in values.items()} if type(values) is dict else y
        self._slow.append(PendingPoint(number, detach(x), t, values))
        if type(values) is dict:
            names = tuple(values)
            recorded = names_for_buffer(names, self.by_names)
            if recorded is not None:
                self.by_names.setdefault(names, PointBuffer(recorded))  # another thread may have been faster

    # the journal writer's thread, unless noted

    def clear(self) -> None:
        """Discard everything: in a forked child, whose parent sends it, and when nothing can be recorded any more."""
        self.by_names.clear()
        self._slow.clear()
        self.received.clear()

    def is_empty(self) -> bool:
        """Return whether all points are taken. Called by any thread."""
        return not (self._slow or self.received or any(map(PointBuffer.waiting, list(self.by_names.values()))))

    def held(self) -> int:
        """Return about how many bytes are in memory. Called by any thread."""
        buffered = sum(map(PointBuffer.held, list(self.by_names.values())))
        received = sum([8 * (HEADER_CELLS + len(points.y)) * len(points.x) for points in self.received])
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

    def take(self, limit: int, final: bool) -> Iterator[PointBatch]:
        """Remove and yield batches of points with a sequence number below `limit`, in the order of appending.

        A point whose values are pending keeps the points behind it back. `final` is that of PointBuffer.
        """
        while True:
            # how far this round can go without overtaking a point that another round has to take
            slow: list[PendingPoint] = []
            while (
                self._slow
                and len(slow) < MAX_ROWS_PER_TAKE
                and self._slow[0].number < limit
                and not self._slow[0].is_pending
            ):
                slow.append(self._slow.popleft())
            below = min(limit, self._slow[0].number) if self._slow else limit
            buffers = list(self.by_names.values())
            for buffer in buffers:
                buffer_limit = buffer.take_limit(final)
                below = below if buffer_limit is None else min(below, buffer_limit)
            # what lies before that, from all three sources; what was taken too early goes back
            parts = [part for buffer in buffers if (part := buffer.take(below, final))]
            if self.received:
                received = [points.split(below) for points in self.received]
                self.received[:] = [later for _now, later in received if later]
                parts.extend(now for now, _later in received if now)
            while slow and slow[-1].number >= below:
                self._slow.appendleft(slow.pop())
            parts.extend(self._convert(slow))
            if self.describe is None:
                yield from parts
            elif parts:
                # the order of arrival of all points together
                merged = [merge(parts)] if self._x_order.concerns(parts) else merge_by_names(parts)
                yield from map(self._x_order.apply, merged)
            # where this round did not reach the limit, others may wait behind its points, also behind dropped ones
            if below >= limit or not (parts or slow):
                return

    def _convert(self, points: list[PendingPoint]) -> Iterator[PointBatch]:
        """Yield points of the slow path, one batch for each set of names. Points without any number are dropped."""
        by_names: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for point in points:
            y = self._numbers(point.y)
            x = to_step(point.x) if y else None
            if x is not None:
                by_names.setdefault(tuple(y), []).append((point.number, x, point.t, *y.values()))
            elif y:
                self._warn(("x", self.graph_id), f"x must be a finite number of 64 bits, not {short(point.x)}")
        for names, rows in by_names.items():
            numbers, x_column, t_column, *columns = map(list, zip(*rows, strict=True))
            yield PointBatch(numbers, x_column, t_column, dict(zip(names, columns, strict=True)))

    def _numbers(self, y: Any) -> dict[str, float]:
        """Return the values that are numbers, by name. Others are ignored, with one warning."""
        if type(y) is not dict:
            self._warn(("y", self.graph_id), f"append takes (x, {{name: value}}), not {short(y)}")
            return {}
        numbers: dict[str, float] = {}
        for name, value in y.items():
            number = to_float(value)
            plain = to_name(name)
            if number is None:
                problem = f"the value of {short(plain)} is not a number ({short(value)})"
                self._warn(("value", self.graph_id, plain), problem)
            else:
                numbers[plain] = number
        return numbers

    def _warn(self, key: object, problem: str) -> None:
        notify_once(key, f"graph {self.title!r}: {problem}; ignored")
