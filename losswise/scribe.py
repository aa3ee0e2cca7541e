"""The journal thread: empties a session's buffers into its journal, whatever the network does."""

from __future__ import annotations

import contextlib
import queue
import time
from pathlib import Path
from typing import TYPE_CHECKING

from losswise.encode import points_lines, record_line
from losswise.guard import guarded_thread
from losswise.journal import Header, Journal
from losswise.messages import say_error, say_once
from losswise.plain import size_text
from losswise.records import Record, new_id
from losswise.sender import Sender

if TYPE_CHECKING:
    from losswise.graph import Graph
    from losswise.outbox import Outbox

PAUSE = 0.08
"""Seconds between two writes of the journal, so a killed process loses no more than these and the write."""
WRITE_BYTES = 256 * 1024
HELD_BYTES = 8 * 1024 * 1024
"""Records other than points that are kept in memory while the disk takes none."""

_PAUSED, _URGENT = False, True


class Scribe:
    """Writes one journal: one writer of one session.

    Attributes:
        journal: None until the thread has made it, and where none can be written.
        sender: None offline, too.
        ending: the last record, once the writer ends.
        written: what `Outbox.asked` was when everything before was written.
        dropped: points that were not kept, since the disk or the journal's bound was full.
        last_point_at: unix seconds of the latest point.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.journal: Journal | None = None
        self.sender: Sender | None = None
        self.ending: Record | None = None
        self.written = 0
        self.dropped = 0
        self.last_point_at = 0.0
        self._outbox = outbox
        self._held: list[bytes] = []
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = guarded_thread(self._run, "losswise-journal")

    # called by other threads

    def start(self) -> None:
        self._thread.start()

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

    def _round(self) -> bool:
        """Write what there is, and wait for more. False: it was the last."""
        outbox = self._outbox
        asked, ending = outbox.asked, self.ending
        try:
            self._drain(final=ending is not None)
        except Exception as error:
            say_error("writing down points", error)
        self.written = asked
        if self.sender is not None and self.sender.deleted:
            outbox.close()
        if ending is not None:
            self._finish(ending)
            return False
        if self._rest():
            return True
        outbox.signal = True  # from here on an append wakes this thread
        if not outbox.has_work() and self.ending is None:
            self._wake.get()
        return True

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
        if outbox.online:
            self.sender = Sender(self.journal, outbox.target)

    def _journal_in(self, folders: list[Path], header: Header) -> Journal:
        problem: OSError | None = None
        for folder in folders:
            try:
                journal = Journal(folder, header, sends=self._outbox.online)
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
        # before the records: a graph's record is put before the graph is listed. What may wait for an
        # accelerator comes last
        graphs = sorted(list(outbox.graphs), key=lambda graph: graph.has_others())  # noqa: C414
        limits = [graph.limit() for graph in graphs]
        self._look_at_memory()
        self._write_records(self._record_lines(final))
        for graph, limit in zip(graphs, limits, strict=True):
            self._drain_graph(graph, limit)

    def _record_lines(self, final: bool) -> list[bytes]:
        records: list[Record] = []
        while self._outbox.records:
            records.append(self._outbox.records.popleft())
        for source in list(self._outbox.sources):
            taken = source.take(final)
            if not self._is_beyond_bound(0):
                records += taken
        lines = []
        for record in records:
            try:
                lines.append(record_line(record))
                if self.journal is not None:
                    self.journal.note(record)
            except Exception as error:
                say_error(f"writing down a {record.get('type')} record", error)
        return lines

    def _drain_graph(self, graph: Graph, limit: int) -> None:
        lines: list[bytes] = []
        points = size = 0
        while taken := graph.take(limit):
            self.last_point_at = max(self.last_point_at, taken.t[-1])
            self._outbox.last_x = max(self._outbox.last_x, taken.x[-1])
            if self._outbox.sketch is not None:
                self._outbox.sketch.add(graph.title, taken)
            for line, count in points_lines(graph.id, taken):
                lines.append(line)
                points += count
                size += len(line)
            if size > WRITE_BYTES:
                self._write_points(lines, points)
                lines, points, size = [], 0, 0
            self._look_at_memory()
        self._write_points(lines, points)

    def _look_at_memory(self) -> None:
        self._outbox.full = self._outbox.is_full()
        if self._outbox.full:
            self._outbox.signal = True

    # the disk

    def _write_records(self, lines: list[bytes]) -> None:
        """Write what must not get lost: it is kept in memory while the disk takes nothing."""
        if sum(map(len, self._held)) < HELD_BYTES:
            self._held += lines
        if self._held and self._write(self._held):
            self._held = []

    def _write_points(self, lines: list[bytes], points: int) -> None:
        if not lines:
            return
        if self._is_beyond_bound(sum(map(len, lines))):
            assert self.journal is not None
            self.dropped += points
            say_once(
                ("bound", self.journal.paths.stem),
                f"the journal has reached {size_text(self._outbox.bound)} (LW_JOURNAL_MAX); points are dropped "
                "until the server has taken some. The session will show how many",
            )
        elif self._held or not self._write(lines):  # points of a graph that is not written down have no place
            self.dropped += points

    def _is_beyond_bound(self, more: int) -> bool:
        return self.journal is not None and self.journal.size + more > self._outbox.bound

    def _write(self, lines: list[bytes]) -> bool:
        if self.journal is None or self._outbox.closed:
            return True
        try:
            self.journal.append(lines)
        except OSError as error:
            say_once(
                ("disk", self.journal.paths.stem),
                f"the journal {self.journal.path} cannot be written ({error.strerror or error}); points are dropped "
                "until it can. The session will show how many",
            )
            return False
        self._tell_sender()
        return True

    def _tell_sender(self) -> None:
        if self.sender is None:
            return
        if self.sender.is_started:
            self.sender.nudge()
        else:
            self.sender.start()

    def _finish(self, ending: Record) -> None:
        if self.dropped:
            ending = {**ending, "dropped": self.dropped}
        self._write_records([record_line(ending)])
        if self.journal is not None:
            self.journal.unwritten, self._held = self._held, []
            self.journal.finish()
        self._tell_sender()


class _Unwritable(Exception):
    """The journal cannot be opened; it was said already."""
