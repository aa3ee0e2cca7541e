"""Which graphs the values of `Session.log` go to: the naming rule, remembered for each set of names."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from losswise.naming import GraphChoice, graph_for
from losswise.recording.graph_buffer import GraphBuffer
from losswise.recording.point_buffer import PLAIN_NUMBERS, SharedPointBuffer, names_for_buffer
from losswise.recording.record_queue import RecordQueue
from losswise.util.guard import guarded
from losswise.util.messages import notify_once
from losswise.util.unreliable import short, tried
from losswise.values.containers import to_dict
from losswise.values.scalars import is_pending, to_step
from losswise.values.texts import to_name

MAX_REMEMBERED_NAME_SETS = 1_000

_now = time.time


class GraphLike(Protocol):
    """What the router needs of a graph."""

    display_interval: int | None
    buffer: GraphBuffer

    def append(self, x: Any, y: Any) -> None: ...


Routes = list[tuple[GraphLike, tuple[Any, ...]]]  # graphs, each with the names that are drawn on it


class MetricRouter:
    """Finds or creates the graphs of metrics.

    Args:
        make_graph: `Session.graph`: returns the graph for a title, an x label, a y label and a kind.
        graphs: the user's own choice of graphs by metric name, which wins over the naming rule.

    Attributes:
        labels: returns the labels of the x and the y axis of a graph that is created for a metric name.
        next_x: x of the next `log` without one.
    """

    def __init__(
        self, queue: RecordQueue, make_graph: Callable[..., GraphLike], graphs: Mapping[str, GraphChoice]
    ) -> None:
        self.labels: Callable[[str], tuple[str, str]] = lambda name: ("", "")
        self.next_x = 0
        self._queue = queue
        self._make_graph = make_graph
        self._graphs = graphs
        self._routes = lru_cache(MAX_REMEMBERED_NAME_SETS)(self._find_routes)

    def append(self, metrics: Mapping[str, Any], x: Any) -> None:
        """Add values, by name, to their graphs. With `x` None it is one more than that of the last call."""
        queue = self._queue
        if queue.closed:
            return
        try:
            if not isinstance(metrics, dict):  # other mappings may raise anything, or have no end
                raise TypeError
            buffer = queue.shared[tuple(metrics)]
            values = metrics.values()
            for value in values:
                if not isinstance(value, PLAIN_NUMBERS):
                    raise TypeError
            if x is None:
                x = self.next_x
            if type(x) is not int:
                raise TypeError
            # packing fails before anything is added if an int does not fit
            buffer.rows.extend(buffer.pack(next(queue.numbers), x, _now(), *values))
            self.next_x = x + 1
            if queue.needs_attention:
                queue.start_or_wake()
        except Exception:
            self._append_to_each(metrics, x)

    @guarded("logging")
    def _append_to_each(self, metrics: Mapping[str, Any], x: Any) -> None:
        """Slow path: the first time of a set of names, and values that are not int or float."""
        given = metrics if type(metrics) is dict else tried(to_dict, metrics)
        if type(given) is not dict:
            return notify_once("log", f"log takes a dictionary, not {short(metrics)}; ignored")
        if x is None:
            x = self.next_x
        step = None if is_pending(x) else to_step(x)
        if step is not None:
            self.next_x = math.floor(step) + 1
        names = tuple(given)
        routes = self._routes(names)
        for graph, members in routes:
            graph.append(x, {name: given[name] for name in members})
        queue = self._queue
        recorded = names_for_buffer(names, queue.shared)
        if recorded is not None and not any(graph.display_interval for graph, _members in routes):
            name_of = dict(zip(names, recorded, strict=True))
            members_of = [(graph.buffer.received.append, [name_of[name] for name in own]) for graph, own in routes]
            buffer = SharedPointBuffer(recorded, members_of)
            queue.shared.setdefault(names, buffer)  # another thread may have been faster
            if queue.closed:
                queue.shared.clear()

    def _find_routes(self, names: tuple[Any, ...]) -> Routes:
        """Return each graph with those of the names that are drawn on it."""
        by_graph: dict[GraphLike, list[Any]] = {}
        for name in names:
            plain = to_name(name)
            title, kind = graph_for(plain, self._graphs)
            by_graph.setdefault(self._make_graph(title, *self.labels(plain), kind), []).append(name)
        return [(graph, tuple(members)) for graph, members in by_graph.items()]
