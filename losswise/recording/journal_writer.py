"""The journal thread: empties a session's buffers into its journal, whatever the network does."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from losswise.delivery.sender import Sender
from losswise.journal.format import Header, record_line
from losswise.journal.writer import Journal, NotWritten
from losswise.protocol.records import Record, new_id
from losswise.recording.drops import Losses, bound_reached, not_written
from losswise.recording.encoding import points_lines
from losswise.util.guard import guarded_thread
from losswise.util.messages import say_error, say_once

if TYPE_CHECKING:
    from losswise.graph import Graph
    from losswise.recording.point_buffer import Spread
    from losswise.recording.recorder import Outbox

PAUSE = 0.09
"""Seconds between two writes of the journal, so a killed process loses no more than these and the write."""
WRITE_BYTES = 256 * 1024
HELD_BYTES = 8 * 1024 * 1024
"""Records other than points that are kept in memory while the disk takes none."""

IDLE = 1.0
"""Longest sleep, and seconds between two looks at what is on the disk."""
BREATHING = 60.0
"""Seconds between two signs of life in the journal's folder."""
LAST_VALUES = 5.0
"""Seconds that values which are still computed get at the end."""
BOUNDED = ("text", "values")
"""Records that are dropped, beside points, where the journal has reached its bound."""

_PAUSED, _URGENT = False, True


class Scribe:
    """Writes one journal: one writer of one session.

    Attributes:
        journal: None until the thread has made it, and where none can be written.
        sender: None offline, too.
        ending: the last record, once the writer ends.
        written: what `Outbox.asked` was when everything before was written.
        losses: points that were not kept, since the disk or the journal's bound was full.
        last_point_at: unix seconds of the latest point.
        writing_since: when the write began that is under way (time.monotonic), or 0.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.journal: Journal | None = None
        self.sender = Sender(outbox.target) if outbox.online else None
        self.ending: Record | None = None
        self.written = 0
        self.losses = Losses()
        self.last_point_at = self.writing_since = 0.0
        self._outbox = outbox
        self._held: list[bytes] = []
        self._measured_at = self._breathed_at = time.monotonic()
        self._reading: threading.Thread | None = None
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = guarded_thread(self._run, "losswise-journal")

    # called by other threads

    def start(self) -> None:
        """Start the threads. Raises RuntimeError where none can be started."""
        self._thread.start()
        if self.sender is not None:
            try:
                self.sender.start()
            except RuntimeError as error:
                self.sender = None
                say_once("sender", f"no thread can be started ({error}); what is recorded is only kept")

    def wake(self, urgent: bool = False) -> None:
        """There is something to write; with `urgent`, somebody waits for it."""
        self._wake.put(_URGENT if urgent else _PAUSED)

    def is_writing(self) -> bool:
        return self._thread.is_alive()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    # the thread

    def _run(self) -> None:
        outbox = self._outbox
        try:
            self._open_journal()
            while self._round():
                pass
        except _Unwritable:
            outbox.close()
        except Exception as error:
            say_error("writing the journal", error)
            outbox.close()
        finally:
            outbox.full = False
            self.written = outbox.asked
            if self.sender is not None and self.journal is None:
                self.sender.begin(None)

    def _round(self) -> bool:
        """Write what there is, and wait for more. False: it was the last."""
        outbox = self._outbox
        asked, ending = outbox.asked, self.ending
        self._drain_guarded(final=False)
        if ending is not None:
            self._wait_for_values()
            self._drain_guarded(final=True)
        if not self._read_values():
            self.written = asked
        if self.sender is not None and self.sender.deleted:
            outbox.close()
        if ending is not None:
            self._finish(ending)
            return False
        if self._rest():
            return True
        if not outbox.has_work():
            outbox.signal = True  # from here on an append wakes this thread
            if not outbox.has_work() and self.ending is None:
                with contextlib.suppress(queue.Empty):  # a caller may be interrupted before he wakes us
                    self._wake.get(timeout=IDLE)
        if self.journal is not None and time.monotonic() > self._breathed_at + BREATHING:
            self._breathed_at = time.monotonic()
            self.journal.breathe()
        return True

    def _drain_guarded(self, final: bool) -> None:
        try:
            self._drain(final)
        except Exception as error:
            say_error("writing down points", error)

    def _read_values(self) -> bool:
        """Have values read that an accelerator may still be computing, by a thread of their own. False: there
        are none."""
        slow = [graph for graph in list(self._outbox.graphs) if graph.is_slow()]
        if slow and (self._reading is None or not self._reading.is_alive()):
            try:
                self._reading = guarded_thread(self._read_slow, "losswise-values", slow)
                self._reading.start()
            except RuntimeError:  # the process ends
                self._read_slow(slow)
        return bool(slow)

    def _read_slow(self, graphs: list[Graph]) -> None:
        for graph in graphs:
            graph.read_slow()
        self.wake()

    def _wait_for_values(self) -> None:
        """At the end, for a while: what an accelerator never tells is left out, with a word."""
        until = time.monotonic() + LAST_VALUES
        while self._read_values():
            if time.monotonic() > until:
                say_once(("values", id(self)), "an accelerator does not tell the last values; they are left out")
                for graph in list(self._outbox.graphs):
                    graph.leave_out_slow()
                return
            time.sleep(0.005)

    def _rest(self) -> bool:
        """Let points gather for a moment. True: somebody waits for them."""
        until = time.monotonic() + PAUSE
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                if self._wake.get(timeout=left) is _URGENT:
                    return True
        return False

    def _open_journal(self) -> None:
        outbox = self._outbox
        header = Header.of_this_process(outbox.session_id, new_id(), outbox.target.base_url)
        self.journal = self._journal_in(outbox.folders, header)
        if self.sender is not None:
            self.sender.begin(self.journal)

    def _journal_in(self, folders: list[Path], header: Header) -> Journal:
        problem: OSError | None = None
        for folder in folders:
            try:
                journal = Journal(folder, header, sends=self._outbox.online, bound=self._outbox.bound)
            except OSError as error:
                problem = problem or error
                continue
            if problem is not None:
                say_once(
                    ("journal", folders[0]),
                    f"no journal can be written in {folders[0]} ({problem.strerror}), so it is kept in {folder}; "
                    "LW_JOURNAL_DIR names another folder",
                )
            return journal
        say_once(
            ("journal", folders[0]),
            f"no journal can be written in {folders[0]} ({problem}); this session is not recorded. "
            "LW_JOURNAL_DIR names another folder",
        )
        raise _Unwritable from problem

    def _drain(self, final: bool) -> None:
        outbox = self._outbox
        graphs = list(outbox.graphs)  # before the records: a graph's record is put before the graph is listed
        limit = outbox.limit()
        self._look_at_memory()
        while outbox.records:  # the session's own record is the first of all
            self._write_records(self._portion())
        self._write_taken(final)
        buffers: list[Graph | Spread] = [*graphs, *outbox.spreads.values()]
        lines = _Lines()
        try:
            if final:
                _let_go(buffers, True)
            self._drain_graphs(graphs, limit, lines)
        finally:
            if final:
                _let_go(buffers, False)
            self._write_points(lines)

    def _drain_graphs(self, graphs: list[Graph], limit: int, lines: _Lines) -> None:
        while True:
            spreads = list(self._outbox.spreads.values())
            below = min([limit, *(number for spread in spreads if (number := spread.number_beyond()) is not None)])
            handed = [spread.hand_out(below) for spread in spreads]
            for graph in graphs:
                self._drain_graph(graph, below, lines)
            if below >= limit or not any(handed):  # a thread that is late with a row keeps what is behind it back
                return

    def _write_taken(self, final: bool) -> None:
        """What the sources have gathered."""
        for source in list(self._outbox.sources):
            self._write_records(self._lines(source.take(final)))

    def _portion(self) -> list[bytes]:
        """Some of the records as lines: texts can be large, and each is in memory several times on its way."""
        records: list[Record] = []
        size = 0
        while self._outbox.records and size < WRITE_BYTES:
            record = self._outbox.records.popleft()
            records.append(record)
            size += rough_size(record)
        self._outbox.records_size = max(0, self._outbox.records_size - size)
        return self._lines(records)

    def _lines(self, records: list[Record]) -> list[bytes]:
        if self._is_beyond_bound(0):
            kept = [record for record in records if record["type"] not in BOUNDED]
            if len(kept) < len(records):
                self.losses.add(bound_reached(self._outbox.bound))
            records = kept
        lines = []
        for record in records:
            try:
                lines.append(record_line(record))
                if self.journal is not None:
                    self.journal.note(record)
            except Exception as error:
                say_error(f"writing down a {record.get('type')} record", error)
        return lines

    def _drain_graph(self, graph: Graph, limit: int, lines: _Lines) -> None:
        while taken := graph.take(limit):
            self.last_point_at = max(self.last_point_at, taken.t[-1])
            self._outbox.last_x = max(self._outbox.last_x, taken.x[-1])
            if self._outbox.sketch is not None:
                self._outbox.sketch.add(graph.title, taken)
            left = len(taken.x)
            try:
                for line, count in points_lines(graph.id, taken):
                    lines.add(line, count)
                    left -= count
            except Exception as error:
                say_error("writing down points", error)
                self.losses.count("they could not be written down", left)
            if lines.size > WRITE_BYTES:
                self._write_points(lines)
            self._look_at_memory()

    def _look_at_memory(self) -> None:
        self._outbox.full = self._outbox.is_full()
        if self._outbox.full:
            self._outbox.signal = True

    # the disk

    def _write_records(self, lines: list[bytes]) -> None:
        """Write what must not get lost: it is kept in memory while the disk takes nothing."""
        if sum(map(len, self._held)) < HELD_BYTES:
            self._held += lines
        if self._held:
            self._held = self._held[self._write(self._held) :]
        if any(line.startswith(b'{"type":"image"') for line in lines):
            self._tell_sender(at_once=True)

    def _write_points(self, lines: _Lines) -> None:
        """Write lines of points, and empty the list."""
        if not lines.lines:
            return
        points = sum(lines.points)
        if self._is_beyond_bound(lines.size):
            self.losses.add(bound_reached(self._outbox.bound), points)
        elif self._held:  # points of a graph that is not written down have no place
            self.losses.add(points=points)
        elif left := sum(lines.points[self._write(lines.lines) :]):
            self.losses.add(points=left)
        else:
            self.losses.over()
        lines.clear()

    def _is_beyond_bound(self, more: int) -> bool:
        journal, bound = self.journal, self._outbox.bound
        if journal is None or journal.size + more <= bound:
            return False
        if time.monotonic() > self._measured_at + IDLE:
            self._measured_at = time.monotonic()
            journal.measure()
        return journal.size + more > bound

    def _write(self, lines: list[bytes]) -> int:
        """Write lines; returns how many, from the front, are dealt with."""
        if self.journal is None or self._outbox.closed:
            return len(lines)
        outbox = self._outbox
        self.writing_since, outbox.signal = time.monotonic(), True  # callers look at the memory while this takes long
        try:
            self.journal.append(lines)
            written = len(lines)
        except NotWritten as error:
            self.losses.add(not_written(self.journal.path, error))
            written = error.lines
        finally:
            self.writing_since, outbox.signal = 0.0, outbox.full
            if self.ending is not None:  # it may have come meanwhile: the next append opens another writer
                outbox.signal = True
        self._tell_sender()
        return written

    def _tell_sender(self, at_once: bool = False) -> None:
        if self.sender is not None:
            self.sender.nudge(at_once)

    def _finish(self, ending: Record) -> None:
        if self.losses.total:
            ending = {**ending, "dropped": self.losses.total}
        self._write_records([record_line(ending)])
        if self.journal is not None:
            self.journal.unwritten, self._held = self._held, []
            self.journal.finish()
        self._tell_sender()
        self.losses.tell()


def _let_go(buffers: list[Graph | Spread], is_last: bool) -> None:
    for buffer in buffers:
        buffer.let_go(is_last)


class _Lines:
    """Lines of points to be written at once.

    Attributes:
        points: how many stand in each.
        size: bytes of all.
    """

    def __init__(self) -> None:
        self.clear()

    def add(self, line: bytes, points: int) -> None:
        self.lines.append(line)
        self.points.append(points)
        self.size += len(line)

    def clear(self) -> None:
        self.lines: list[bytes] = []
        self.points: list[int] = []
        self.size = 0


def rough_size(record: Record) -> int:
    """Bytes of a record in memory, about: texts are what can be large."""
    return 500 + len(record.get("text") or "")


class _Unwritable(Exception):
    """The journal cannot be opened; it was said already."""
