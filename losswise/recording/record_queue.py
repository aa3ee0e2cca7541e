"""What was recorded and is not written to the journal yet."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from losswise.protocol.records import Record
from losswise.recording.graph_buffer import GraphBuffer
from losswise.recording.point_buffer import PointBatch, PointBuffer, SharedPointBuffer

MAX_HELD_BYTES = 20 * 1024 * 1024  # memory for points and records at which `append` waits for the local disk


class Source(Protocol):
    """Collects records by itself, such as the console capture; the journal writer asks for them.

    `take` returns the records that are due, with `final` all that there are; `waiting` returns the number of bytes
    that will be due.
    """

    def take(self, final: bool) -> list[Record]: ...
    def waiting(self) -> int: ...


class EncodedImage(NamedTuple):
    """An image record and the bytes that its `sha256` names."""

    record: Record
    data: bytes


class RecordQueue:
    """A session's points and records, filled by callers on any thread, emptied by one JournalWriter.

    A session that records nothing has a queue that is closed from the start, CLOSED_QUEUE.

    Attributes:
        start_or_wake: set by the Recorder: starts or wakes the journal writer.
        needs_attention: the next `append` must call `start_or_wake`: the writer sleeps, has ended, or memory is full.
        full: `append` must wait for the disk.
        closed: nothing can be recorded any more; everything is dropped.
        graphs: the buffers of all graphs. A graph's record is put before its buffer is listed here.
        excess: the buffer of all graphs beyond those that a session can have, listed in `graphs` if there are any.
        shared: buffers of points that belong to several graphs, by their names.
        records: records other than points and images; `record_bytes` is about their size.
        images: records of images, each with the image's bytes.
        numbers: sequence numbers of the points of all graphs.
        listener: called with a graph's title and each batch of its points that is written; None without a notebook.
        further_graphs: number of graphs that exist beside these, for names beyond the limit of one graph.
        steps: returns how many training steps are done, or None if that is unknown now; called by the journal writer
            about once a second. None: nobody knows.
        last_x: greatest x written so far.
        last_point_at: unix seconds of the latest point written; 0 before the first.
        on_close: called when the queue is closed.
    """

    def __init__(self, closed: bool = False) -> None:
        self.start_or_wake: Callable[[], None] = lambda: None
        self.on_close: Callable[[], None] = lambda: None
        self.closed = closed
        self.graphs: list[GraphBuffer] = []
        self.excess = GraphBuffer("", "", describe=None)
        self.further_graphs = 0
        self.sources: list[Source] = []
        self.listener: Callable[[str, PointBatch], None] | None = None
        self.steps: Callable[[], int | None] | None = None
        self.last_x = 0
        self.last_point_at = 0.0
        self.reset()

    def reset(self) -> None:
        """Discard everything: at the start, when nothing can be recorded any more, and in a forked child."""
        self.needs_attention = not self.closed
        self.full = False
        self.records: deque[Record] = deque()
        self.images: deque[EncodedImage] = deque()
        self.numbers = itertools.count()
        self.shared: dict[Any, SharedPointBuffer] = {}
        self.record_bytes = 0
        self.steps = None
        for graph in list(self.graphs):
            graph.clear()

    def add_graph(self, graph: GraphBuffer) -> None:
        """Have the points of a graph taken, too."""
        if not self.closed and graph not in self.graphs:
            self.graphs.append(graph)

    def put(self, record: Record) -> None:
        """Add a record that is neither a points nor an image record."""
        self.records.append(record)
        self.record_bytes += estimate_bytes(record)

    def take_records(self, max_bytes: int) -> list[Record]:
        """Remove and return records from the front, of about `max_bytes`: texts can be large."""
        taken: list[Record] = []
        size = 0
        try:
            while size < max_bytes:
                record = self.records.popleft()
                taken.append(record)
                size += estimate_bytes(record)
        except IndexError:  # empty; another thread may also have closed the queue
            size = self.record_bytes  # callers count without a lock, so start again from zero
        self.record_bytes = max(0, self.record_bytes - size)
        return taken

    def has_work(self) -> bool:
        """Return whether something waits that can be written now."""
        return bool(
            self.records
            or self.images
            or any(map(PointBuffer.waiting, list(self.shared.values())))
            or any(not graph.is_empty() and not graph.has_pending() for graph in list(self.graphs))
            or any(source.waiting() for source in list(self.sources))
        )

    def held(self) -> int:
        """Return about how many bytes are in memory, without images, which wait on a thread of their own."""
        graphs, shared = list(self.graphs), list(self.shared.values())
        return self.record_bytes + sum(map(GraphBuffer.held, graphs)) + sum(map(PointBuffer.held, shared))

    def check_memory(self) -> None:
        """Set `full`, and with it the attention of callers."""
        self.full = self.held() > MAX_HELD_BYTES
        if self.full:
            self.needs_attention = True

    def close(self) -> None:
        """Drop everything from here on: appends cost next to nothing, and memory does not grow."""
        self.closed = True
        self.reset()
        self.on_close()
        self.sources.clear()


CLOSED_QUEUE = RecordQueue(closed=True)  # of sessions and graphs that record nothing


def estimate_bytes(record: Record) -> int:
    """Return about how many bytes a record takes in memory; only texts are large."""
    return 500 + len(record.get("text") or "")
