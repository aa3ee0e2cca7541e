"""Names beyond those that the server takes on one graph: they go on to graphs "title (2)", "title (3)" and so on."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator

from losswise.protocol.limits import MAX_GRAPHS, MAX_NAMES
from losswise.protocol.records import Record
from losswise.recording.graph_buffer import GraphBuffer
from losswise.recording.point_buffer import PointBatch
from losswise.recording.record_queue import RecordQueue
from losswise.util.messages import notify_once

MAX_PARTS = 100  # graphs that one graph becomes at most, since all of their names are kept in memory


class FurtherGraphs:
    """Divides the names of graphs into parts of at most MAX_NAMES, in the order in which they come.

    Args:
        write: writes a record to the journal at once.
    """

    def __init__(self, queue: RecordQueue, write: Callable[[Record], None]) -> None:
        self._queue, self._write = queue, write
        self._written: set[str] = set()  # ids of the further graphs whose records are in this journal

    def divide(self, graph: GraphBuffer, batch: PointBatch) -> Iterator[tuple[str | None, PointBatch]]:
        """Yield ids of graphs, each with its part of the points; None as the id if there can be no further graph."""
        part_of = graph.part_of
        if not batch.y.keys() <= part_of.keys():
            for name in batch.y:
                if len(part_of) < MAX_PARTS * MAX_NAMES:
                    part_of.setdefault(name, len(part_of) // MAX_NAMES)
        if len(part_of) <= MAX_NAMES:
            yield graph.graph_id, batch
            return
        names: dict[int, list[str]] = {}
        for name in batch.y:
            names.setdefault(part_of.get(name, MAX_PARTS), []).append(name)
        for part, own in names.items():
            points = batch if len(names) == 1 else with_names(batch, own)
            if points is not None:
                yield graph.graph_id if part == 0 else self._further(graph, part), points

    def _further(self, graph: GraphBuffer, part: int) -> str | None:
        """Return the id of the graph for a part of the names, after writing its record."""
        if part not in graph.further:
            graph.further[part] = self._create(graph, part)
        record = graph.further[part]
        if record is None:
            return None
        if record["id"] not in self._written:
            self._written.add(record["id"])
            self._write(record)
        return str(record["id"])

    def _create(self, graph: GraphBuffer, part: int) -> Record | None:
        queue = self._queue
        problem = f"graph {graph.title!r} has more than {MAX_NAMES:,} names"
        is_full = part >= MAX_PARTS or len(queue.graphs) + queue.further_graphs >= MAX_GRAPHS
        if is_full or (describe := graph.describe) is None:
            notify_once(("names", graph.graph_id, None), f"{problem}, and there can be no further graph for the others")
            return None
        queue.further_graphs += 1
        titles = {other.title for other in queue.graphs}
        number = part + 1
        while (record := describe(number))["title"] in titles:  # a graph of the user's own
            number += MAX_PARTS
        notify_once(("names", graph.graph_id), f"{problem}; the others are on {record['title']!r} and so on")
        return record


def with_names(batch: PointBatch, names: list[str]) -> PointBatch | None:
    """Return the points that have values of these names; None if there is none."""
    columns = [batch.y[name] for name in names]
    if any(type(column) is array for column in columns):  # in which no value is missing
        return batch._replace(y=dict(zip(names, columns, strict=True)))
    rows = [row for row in range(len(batch.x)) if any(column[row] is not None for column in columns)]
    if not rows:
        return None
    y = {name: [column[row] for row in rows] for name, column in zip(names, columns, strict=True)}
    numbers, x, t = batch.numbers, batch.x, batch.t
    return PointBatch([numbers[row] for row in rows], [x[row] for row in rows], [t[row] for row in rows], y)
