"""The journal thread: moves points and records from a session's queue to its journal, whatever the network does."""

from __future__ import annotations

import contextlib
import queue as queues
import threading
import time
from collections.abc import Callable
from typing import Any

from losswise.delivery.sender import Sender
from losswise.journal.format import record_line
from losswise.journal.writer import Journal, NotWritten
from losswise.protocol.records import Record, progress_record
from losswise.recording.drops import TOO_MANY_GRAPHS, TOO_MANY_NAMES, Cause, DroppedPoints, bound_reached, not_written
from losswise.recording.encoding import points_lines
from losswise.recording.further_graphs import FurtherGraphs
from losswise.recording.graph_buffer import GraphBuffer
from losswise.recording.point_buffer import PointBatch
from losswise.recording.record_queue import RecordQueue
from losswise.util.guard import guarded, guarded_thread
from losswise.util.messages import notify_error, notify_once

WRITE_INTERVAL_S = 0.09  # between two writes; a killed process loses at most the points of this time and of the write
WRITE_BYTES = 256 * 1024
MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024  # memory for records other than points while the disk accepts no writes
IDLE_S = 1.0  # longest sleep, and time between two measurements of the journal on disk
HEARTBEAT_INTERVAL_S = 60.0
PROGRESS_INTERVAL_S = 1.0
PENDING_VALUES_TIMEOUT_S = 5.0  # how long the end waits for values that an accelerator still computes
BOUNDED_RECORDS = ("text", "values")  # these are dropped, like points, once the journal has reached its bound


class JournalWriter:
    """Writes one journal: one writer of one session.

    Args:
        id: the writer's id.
        queue: where points and records come from.
        open_journal: creates the journal; called on the thread. Returns None if there is no place for one.
        bound: size of the journal in bytes beyond which points are dropped.

    Attributes:
        thread: not started yet.
        sender: delivers the journal; None offline.
        journal: None until the thread has created it, and if it cannot.
        ending: the last record, once the writer shall end.
        requested: number of the last request for everything recorded so far to be written.
        written: number of the last such request that is fulfilled.
        marks: number of the last mark that the session has recorded.
        dropped: points that are lost, such as those that a full disk did not take.
        writing_since: start of the write in progress (time.monotonic), or 0.
    """

    def __init__(
        self,
        id: str,
        queue: RecordQueue,
        open_journal: Callable[[], Journal | None],
        sender: Sender | None,
        bound: float,
    ) -> None:
        self.id = id
        self.thread = guarded_thread(self._run, "losswise-journal")
        self.journal: Journal | None = None
        self.ending: Record | None = None
        self.requested = self.written = self.marks = 0
        self.dropped = DroppedPoints()
        self.writing_since = 0.0
        self.sender = sender
        self._queue, self._open_journal, self._bound = queue, open_journal, bound
        self._unwritten: list[bytes] = []  # records other than points that the disk did not take
        self._points: list[tuple[bytes, int]] = []  # lines of points to be written together, and how many points each
        self._points_size = 0  # bytes of these lines
        self._further_graphs = FurtherGraphs(queue, lambda record: self._write_records([record]))
        self._disk_problem = Cause("the journal could not be written")  # replaced by the latest error
        self._measured_at = self._heartbeat_at = time.monotonic()
        self._progress_due = 0.0
        self._steps: int | None = None  # told last
        self._value_reader: threading.Thread | None = None
        self._wakes: queues.SimpleQueue[bool] = queues.SimpleQueue()

    # called by other threads

    def wake(self, urgent: bool = False) -> None:
        """Wake the writer, because there is something to write. With `urgent`, it does not let points accumulate."""
        self._wakes.put(urgent)

    def is_writing(self) -> bool:
        return self.thread.is_alive()

    # the thread

    def _run(self) -> None:
        try:
            self.journal = self._open_journal()
            if self.journal is None:
                return self._queue.close()
            if self.sender is not None:
                self.sender.begin(self.journal)
            while self._write_round():
                pass
        except Exception as error:
            notify_error("writing the journal", error)
            self._queue.close()
        finally:
            self._queue.full = False
            self.written = self.requested
            if self.journal is None and self.sender is not None:
                self.sender.begin(None)

    def _write_round(self) -> bool:
        """Write everything there is, then wait for more. Returns False after the last round."""
        requested, ending = self.requested, self.ending  # read before writing: what comes later needs another round
        self._drain(final=False)
        if ending is not None:
            self._wait_for_pending_values()
            self._drain(final=True)
        if ending is not None or requested > self.written or time.monotonic() > self._progress_due:
            self._write_progress()
        if not self._read_pending_values():
            self.written = requested
        if ending is not None:
            self._finish(ending)
            return False
        self._wait_for_work()
        if self.journal is not None and time.monotonic() > self._heartbeat_at + HEARTBEAT_INTERVAL_S:
            self._heartbeat_at = time.monotonic()
            self.journal.heartbeat()
        if self.sender is not None:
            self.sender.outages.check_silence()
        return True

    def _wait_for_work(self) -> None:
        """Let points accumulate for the write interval, unless a caller waits for them; then sleep without work.

        Callers wake this thread only if `needs_attention` is set, so the flag is set first and the queue looked at
        again: a point that came in between would otherwise be noticed by neither side. A signal handler may interrupt
        a caller between its append and its wake, hence the timeout of the sleep.
        """
        until = time.monotonic() + WRITE_INTERVAL_S
        try:
            while not self._wakes.get(timeout=max(0.0, until - time.monotonic())):
                pass
            return  # the wake was urgent
        except queues.Empty:
            if self._queue.has_work():
                return
        self._queue.needs_attention = True
        if not self._queue.has_work() and self.ending is None:
            with contextlib.suppress(queues.Empty):
                self._wakes.get(timeout=IDLE_S)

    # values of accelerators

    def _read_pending_values(self) -> bool:
        """Have another thread read values that an accelerator may still be computing. Returns whether there are any."""
        graphs = [graph for graph in list(self._queue.graphs) if graph.has_pending()]
        if graphs and (self._value_reader is None or not self._value_reader.is_alive()):
            try:
                self._value_reader = guarded_thread(self._read_pending, "losswise-values", graphs)
                self._value_reader.start()
            except RuntimeError:  # at interpreter exit no thread can be started
                self._read_pending(graphs)
        return bool(graphs)

    def _read_pending(self, graphs: list[GraphBuffer]) -> None:
        for graph in graphs:
            graph.read_pending()
        self.wake()

    def _wait_for_pending_values(self) -> None:
        until = time.monotonic() + PENDING_VALUES_TIMEOUT_S
        while self._read_pending_values():
            if time.monotonic() > until:
                notify_once(("values", id(self)), "the accelerator does not return the last values; they are left out")
                for graph in list(self._queue.graphs):
                    graph.discard_pending()
                return
            time.sleep(0.005)

    # from the queue to lines

    @guarded("writing points")
    def _drain(self, final: bool) -> None:
        """Write everything recorded before this call. The order matters: records first, then the points that need them.

        With `final` nothing is written after this, so appends that a signal handler has interrupted are not waited for.
        """
        queue = self._queue
        graphs = list(queue.graphs)  # before the records: a graph's record is put before its buffer is listed
        limit = next(queue.numbers)  # greater than that of every point appended so far
        queue.check_memory()  # before the first write, which a slow disk may hold up
        while records := queue.take_records(WRITE_BYTES):  # the session's own record is the first of all
            self._write_records(records)
        for source in list(queue.sources):
            self._write_records(source.take(final))
        try:
            self._drain_graphs(graphs, limit, final)
        finally:
            self._write_points()
        self._write_images()  # last, since a large one may take a while

    @guarded("recording the progress")
    def _write_progress(self) -> None:
        steps = None if self._queue.steps is None else self._queue.steps()
        self._progress_due = time.monotonic() + PROGRESS_INTERVAL_S
        if steps is not None and steps != self._steps:
            self._write_records([progress_record(steps, time.time())])

    def _drain_graphs(self, graphs: list[GraphBuffer], limit: int, final: bool) -> None:
        """Collect the points below `limit` from all buffers, in order.

        Shared buffers are distributed in slices. No graph is drained beyond the slice, so that points of shared and own
        buffers stay in the order in which they were appended. A thread that is late with a row holds a slice back.
        """
        while True:
            shared = list(self._queue.shared.values())
            below = min([limit, *(number for buffer in shared if (number := buffer.take_limit(final)) is not None)])
            distributed = [buffer.distribute(below, final) for buffer in shared]
            for graph in graphs:
                if not graph.is_empty():
                    self._drain_graph(graph, below, final)
            if below >= limit or not any(distributed):
                return

    def _drain_graph(self, graph: GraphBuffer, limit: int, final: bool) -> None:
        queue = self._queue
        for batch in graph.take(limit, final):
            if graph.describe is None:
                self.dropped.add(TOO_MANY_GRAPHS, len(batch.x))
                continue
            queue.last_point_at = max(queue.last_point_at, batch.t[-1])
            queue.last_x = max(queue.last_x, batch.x[-1])
            if queue.listener is not None:
                queue.listener(graph.title, batch)
            for graph_id, part in self._further_graphs.divide(graph, batch):
                if graph_id is None:
                    self.dropped.add(TOO_MANY_NAMES, len(part.x))
                else:
                    self._encode(graph_id, part)
            if self._points_size > WRITE_BYTES:
                self._write_points()

    def _encode(self, graph_id: str, batch: PointBatch) -> None:
        left = len(batch.x)
        try:
            for line, count in points_lines(graph_id, batch):
                self._points.append((line, count))
                self._points_size += len(line)
                left -= count
        except Exception as error:
            notify_error("writing points", error)
            self.dropped.add(Cause("they could not be encoded"), left)

    # from lines to the disk

    def _write_records(self, records: list[Record]) -> None:
        """Write records, which must not be lost: they are kept in memory while the disk accepts no writes."""
        if self._is_beyond_bound(0):
            kept = [record for record in records if record["type"] not in BOUNDED_RECORDS or "mark" in record]
            if len(kept) < len(records):
                self.dropped.add(bound_reached(self._bound), 0)
            records = kept
        lines = []
        for record in records:
            try:
                lines.append(record_line(record))
                self._steps = record.get("steps", self._steps)
                if self.journal is not None:
                    self.journal.note(record)
            except Exception as error:
                notify_error(f"writing a {record.get('type')} record", error)
        if sum(map(len, self._unwritten)) < MAX_UNWRITTEN_BYTES:
            self._unwritten += lines
        if self._unwritten:
            self._unwritten = self._unwritten[self._write(self._unwritten) :]

    def _write_images(self) -> None:
        """Write the bytes of images beside the journal, and then their records."""
        while self.journal is not None:
            try:
                image = self._queue.images.popleft()
            except IndexError:
                return
            if self._is_beyond_bound(0):
                self.dropped.add(bound_reached(self._bound), 0)
                continue
            try:
                self._to_disk(self.journal.add_image, image.record["sha256"], image.data)
            except OSError as error:
                folder = self.journal.paths.blobs
                problem = f"images cannot be written in {folder} ({error}); they are dropped until they can"
                notify_once(("images", folder), problem)
                continue
            self._write_records([image.record])
            if self.sender is not None:
                self.sender.nudge(at_once=True)

    def _write_points(self) -> None:
        """Write the lines of points, or count them as dropped, and see how much is in memory now."""
        points, size = self._points, self._points_size
        self._points, self._points_size = [], 0
        if points and self._is_beyond_bound(size):
            self.dropped.add(bound_reached(self._bound), sum([count for _line, count in points]))
        elif points:
            # behind other lines that the disk did not take nothing is written: their graph's record may be among them
            written = 0 if self._unwritten else self._write([line for line, _count in points])
            if left := sum([count for _line, count in points[written:]]):
                self.dropped.add(self._disk_problem, left)
        self._queue.check_memory()

    def _is_beyond_bound(self, more_bytes: int) -> bool:
        journal, bound = self.journal, self._bound
        if journal is None or journal.size + more_bytes <= bound:
            return False
        if time.monotonic() > self._measured_at + IDLE_S:
            self._measured_at = time.monotonic()
            journal.measure()  # another process may have sent some of it
        return journal.size + more_bytes > bound

    def _write(self, lines: list[bytes]) -> int:
        """Append `lines` to the journal. Returns how many leading lines were written (or can be dropped)."""
        if self.journal is None or self._queue.closed:
            return len(lines)
        try:
            self._to_disk(self.journal.append, lines)
            written = len(lines)
        except NotWritten as error:
            self._disk_problem = not_written(self.journal.path, error)
            self.dropped.add(self._disk_problem, 0)
            written = error.lines
        if self.sender is not None:
            self.sender.nudge()
        return written

    def _to_disk(self, write: Callable[..., None], *args: Any) -> None:
        """Have callers check the memory while this write takes long: they do so when their attention is needed."""
        queue = self._queue
        self.writing_since, queue.needs_attention = time.monotonic(), True
        try:
            write(*args)
        finally:
            self.writing_since, queue.needs_attention = 0.0, queue.full
            if self.ending is not None:  # set meanwhile: the next append must open another writer
                queue.needs_attention = True

    def _finish(self, ending: Record) -> None:
        if self.dropped.total:
            ending = {**ending, "dropped": self.dropped.total}
        self._write_records([ending])
        if self.journal is not None:
            self.journal.unwritten, self._unwritten = self._unwritten, []
            self.journal.finish()
            if self.sender is not None:
                self.sender.nudge()
        self.dropped.report()
