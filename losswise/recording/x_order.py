"""x of a graph whose steps are not whole numbers, such as epochs of 0.5, 1.0 and 1.5."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from losswise.protocol.limits import INT64_MAX
from losswise.recording.point_buffer import PointBatch
from losswise.util.messages import notify_once

X_NAMES = ("x", "x as given")  # of the quantity; the second one if the graph has a metric with the first


class XOrder:
    """From the first fraction on, gives the points of one graph the order of arrival as x, and their x as a quantity.

    The x of a record is a whole number.
    """

    def __init__(self, graph_id: str, title: str) -> None:
        self._graph_id, self._title = graph_id, title
        self._greatest: int | None = None  # x so far; None before the first point
        self._next: int | None = None  # x of the next point; None before the first fraction
        self._name = X_NAMES[0]

    def concerns(self, batches: list[PointBatch]) -> bool:
        """Return whether x of these points has a fraction, or that of an earlier point had one."""
        return self._next is not None or any(_count_whole(batch.x) < len(batch.x) for batch in batches)

    def apply(self, batch: PointBatch) -> PointBatch:
        """Return the batch with whole numbers as x."""
        start = _count_whole(batch.x) if self._next is None else 0
        if start:
            greatest = max(batch.x[:start])
            self._greatest = greatest if self._greatest is None else max(self._greatest, greatest)
        count = len(batch.x) - start
        if not count:
            return batch
        if self._name in batch.y:
            self._name = X_NAMES[1]
        if self._next is None:
            self._next = 0 if self._greatest is None else self._greatest + 1
            self._report(batch.x[start])
        order = [min(x, INT64_MAX) for x in range(self._next, self._next + count)]
        self._next += count
        y = {**batch.y, self._name: [*([None] * start), *batch.x[start:]]}
        return batch._replace(x=[*batch.x[:start], *order], y=y, encoded=None)

    def _report(self, x: float) -> None:
        line = f"its x is the order of arrival from here on, and what is given as x is the quantity {self._name!r}"
        notify_once(("fraction", self._graph_id), f"graph {self._title!r}: {x} is not a whole number, so {line}")


def _count_whole(x: Sequence[float]) -> int:
    """Return how many whole numbers come before the first fraction."""
    if type(x) is array:
        return len(x)
    return next((index for index, value in enumerate(x) if type(value) is float), len(x))
