"""A graph of a session: named quantities over x."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, overload

from losswise.protocol.limits import KINDS
from losswise.protocol.records import Record, graph_id, graph_record
from losswise.recording.graph_buffer import GraphBuffer
from losswise.recording.point_buffer import PLAIN_NUMBERS
from losswise.recording.record_queue import CLOSED_QUEUE, RecordQueue
from losswise.util.guard import guarded
from losswise.util.messages import notify_once
from losswise.util.uncopyable import Uncopyable
from losswise.util.unreliable import short
from losswise.values.scalars import to_x
from losswise.values.texts import one_of, to_name

_now = time.time


class Graph(Uncopyable):
    """One graph of a session. Created by `Session.graph`, not by hand. What is invalid is ignored, with one warning.

    Attributes:
        id: 20 hex digits, the same for the same title of the same session in every process.
        title: shown above the graph.
        kind: 'min', 'max' or None; which statistic is a column of the session table.
        display_interval: None (every point is sent) or N (every Nth point of each set of names is sent).

    Example:
        >>> graph = session.graph("loss", kind="min")
        >>> graph.append(0, {"train_loss": 2.3, "val_loss": 2.4})
    """

    def __init__(
        self,
        queue: RecordQueue,
        session_id: str,
        title: str,
        xlabel: Any = "",
        ylabel: Any = "",
        kind: Any = None,
        display_interval: Any = None,
        buffer: GraphBuffer | None = None,
    ) -> None:
        self.kind = one_of(kind, KINDS)
        if kind is not None and self.kind is None:
            notify_once(
                ("kind", session_id, title), f"graph {title!r}: kind is 'min', 'max' or None, not {short(kind)}"
            )
        self.id = graph_id(session_id, title)
        self.title = title
        self.xlabel, self.ylabel = to_name(xlabel), to_name(ylabel)
        self.display_interval = to_x(display_interval)
        describe = partial(_numbered_record, session_id, title, self.xlabel, self.ylabel, self.kind)
        self.buffer = buffer or GraphBuffer(self.id, title, describe)
        self._by_names = self.buffer.by_names
        self._queue = queue
        self._session_id = session_id
        self._every = max(1, self.display_interval or 1)
        self._seen: Counter[tuple[Any, ...]] = Counter()  # points of each set of names
        self._own_x = itertools.count()

    @overload
    def append(self, x: int | float, y: Mapping[str, Any]) -> None: ...
    @overload
    def append(self, x: Mapping[str, Any]) -> None: ...
    def append(self, x: Any, y: Any = None) -> None:
        """Add a point. Takes about a microsecond, never waits for the network and never raises.

        Args:
            x: a whole number (64 bits), such as the step. If omitted, the graph counts its appends from 0. If it is a
                fraction, such as half an epoch, the graph goes on with the order of arrival as x, and records the
                fraction as the quantity `x`.
            y: values by name: Python, NumPy, Torch, JAX, TensorFlow or Keras scalars. NaN and infinities are kept.
                A value that is not a number is ignored, with one warning.

        Example:
            >>> graph.append(17, {"train_loss": 0.31})
            >>> graph.append({"train_loss": 0.31})
        """
        queue = self._queue
        if queue.closed:
            return
        try:
            if y is None:
                x, y = next(self._own_x), x
            if not isinstance(y, dict):  # other mappings may raise anything, or have no end
                raise TypeError
            if self._every > 1:
                names = tuple(y)
                seen = self._seen[names]
                self._seen[names] = seen + 1
                if seen % self._every != 0:
                    return
            buffer = self._by_names[tuple(y)]
            values = y.values()
            for value in values:
                if not isinstance(value, PLAIN_NUMBERS):
                    raise TypeError
            if type(x) is not int:
                raise TypeError
            # packing fails before anything is added if an int does not fit
            buffer.rows.extend(buffer.pack(next(queue.numbers), x, _now(), *values))
            if queue.needs_attention:
                queue.start_or_wake()
        except Exception:
            self._append_slow(x, y)

    @guarded("adding a point")
    def _append_slow(self, x: Any, y: Any) -> None:
        """Slow path: the first point with a new set of metric names, and values that are not int or float."""
        queue = self._queue
        self.buffer.add_slow(next(queue.numbers), x, _now(), y)
        if queue.needs_attention:
            queue.start_or_wake()

    def record(self) -> Record:
        """Return the record that describes this graph to the server."""
        return graph_record(self.id, self.title, self.xlabel, self.ylabel, self.kind)

    @guarded("showing a graph", default="<losswise.Graph>")
    def __repr__(self) -> str:
        return f"<losswise.Graph {self.title!r} of session {self._session_id}>"


def _numbered_record(session_id: str, title: str, xlabel: str, ylabel: str, kind: str | None, number: int) -> Record:
    """Return the record of a graph that goes on with another one's names, such as "gradients (2)"."""
    title = to_name(f"{title} ({number})")
    return graph_record(graph_id(session_id, title), title, xlabel, ylabel, kind)


# What `Session.graph` returns if it fails: a graph that records nothing, made here, where nothing can go wrong
DISCONNECTED = Graph(CLOSED_QUEUE, "", "")
