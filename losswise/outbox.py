"""Between a session and its journal: what was recorded and not yet written, and the thread that writes it.

The caller's thread fills buffers and looks at one flag; the journal thread empties them into the file; the
sender thread reads the file. None of them waits for the next, save that `append` waits for the local disk
where 48 MiB of points have gathered.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from losswise.encode import points_lines, record_line
from losswise.journal import Header, Journal
from losswise.messages import say_error, say_once
from losswise.records import Record, new_id
from losswise.sender import Sender

if TYPE_CHECKING:
    from losswise.graph import Graph
    from losswise.settings import Target

PAUSE = 0.05
"""Seconds between two writes of the journal, so a killed process loses no more than these and the write."""
FULL = 48 * 1024 * 1024
"""Bytes of points in memory at which `append` waits for the local disk."""
WRITE_BYTES = 256 * 1024

_PAUSED, _URGENT = False, True


class Outbox:
    """Takes a session's records to a journal, and the journal to a server.

    Attributes:
        signal: the next append shall call `attend`: the journal thread sleeps, or memory is full.
        open: a writer is at work. After `end` the next record opens another.
        closed: the session was deleted on the server; whatever comes is dropped.
        dropped: points that the disk did not take.
    """

    def __init__(
        self, session_id: str, target: Target, folder: Path, online: bool, opening: Callable[[], list[Record]]
    ) -> None:
        self.session_id = session_id
        self.online = online and target.api_key is not None
        self.graphs: list[Graph] = []
        self.closed = False
        self._target = target
        self._folder = folder
        self._opening = opening
        self._reset()

    def _reset(self) -> None:
        self.signal = True
        self.open = False
        self.dropped = 0
        self.last_point_at = 0.0
        self.journal: Journal | None = None
        self.sender: Sender | None = None
        self._full = False
        self._thread: threading.Thread | None = None
        self._lock = threading.RLock()
        self._records: deque[Record] = deque()
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._ending: Record | None = None
        self._written = 0
        self._asked = 0

    def after_fork(self) -> None:
        """In a forked child: the parent sends what it has; what the child adds gets a writer of its own."""
        if self.journal is not None:
            self.journal.abandon()
        self._reset()
        for graph in self.graphs:
            graph._clear()

    # the caller's thread

    def attend(self) -> None:
        """Wake or start the journal thread; wait for the disk where memory is full. Never raises."""
        try:
            while self._full and self._thread is not None and self._thread.is_alive():
                time.sleep(0.005)
            self.signal = False
            if not self.open:
                self._start()
            self._wake.put(_PAUSED)
        except Exception as error:
            say_error("starting to write the journal", error)

    def put(self, record: Record) -> None:
        """Add a record that is no points record."""
        if self.closed:
            return
        if not self.open:
            self._start()
        self._records.append(record)
        self._wake.put(_PAUSED)

    def _start(self) -> None:
        with self._lock:
            if self.open or self.closed:
                return
            if self._thread is not None:  # the writer before this one has its last lines to write
                self._thread.join(timeout=5.0)
            self._ending = None
            self._wake = queue.SimpleQueue()
            self._records.extend(self._opening())
            self.journal = self.sender = None
            self._thread = threading.Thread(target=self._run, name="losswise-journal", daemon=True)
            self.open = True
            self._thread.start()
            self._wake.put(_PAUSED)

    def write_out(self, timeout: float) -> bool:
        """Have everything that was recorded before this call written to the journal. False: not in time."""
        if not self.open:
            return True
        self._asked += 1
        asked = self._asked
        self._wake.put(_URGENT)
        return _wait_until(lambda: self._written >= asked or not self._is_writing(), timeout)

    def flush(self, timeout: float) -> bool:
        """Wait until the server has acknowledged all that was recorded before this call."""
        deadline = time.monotonic() + timeout
        self.write_out(timeout)
        journal, sender = self.journal, self.sender
        if journal is None or sender is None:
            return False
        count = journal.count
        sender.nudge()
        return _wait_until(lambda: sender.acknowledged >= count or sender.stopped, deadline - time.monotonic()) and (
            sender.acknowledged >= count and not self.dropped
        )

    def end(self, status: Record) -> None:
        """Write down what is left and this status as the last record. `wait_sent` waits for its delivery."""
        with self._lock:
            if not self.open:
                return
            self._ending = status
            self.open = False
            self.signal = True
            self._wake.put(_URGENT)

    def _is_writing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wait_written(self, timeout: float) -> bool:
        """After `end`: wait until the journal is complete."""
        return _wait_until(lambda: not self._is_writing(), timeout)

    # the journal thread

    def _run(self) -> None:
        wake, asked = self._wake, 0
        try:
            self._open_journal()
            while self._wake is wake:
                asked, ending = self._asked, self._ending
                self._drain_guarded()
                self._written = asked
                if ending is not None:
                    self._finish(ending)
                    return
                if self._rest(wake):
                    continue
                self.signal = True  # from here on an append wakes this thread
                if not self._has_work():
                    wake.get()
        except _Unwritable:
            self._give_up()
        except Exception as error:
            say_error("writing the journal", error)
            self._give_up()
        finally:
            self._full = False
            self._written = self._asked

    def _rest(self, wake: queue.SimpleQueue[bool]) -> bool:
        """Let points gather for a moment. True: somebody waits for them."""
        until = time.monotonic() + PAUSE
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                if wake.get(timeout=left) is _URGENT:
                    return True
        return False

    def _has_work(self) -> bool:
        return bool(self._records or self._ending) or any(graph.waiting() for graph in list(self.graphs))

    def _open_journal(self) -> None:
        header = Header.of_this_process(self.session_id, new_id(), self._target.base_url)
        try:
            self.journal = Journal(self._folder, header)
        except OSError as error:
            say_once(
                ("journal", str(self._folder)),
                f"no journal can be written in {self._folder} ({error}); this session is not recorded. "
                "LW_JOURNAL_DIR names another folder",
            )
            raise _Unwritable from error
        if self.online and self._target.api_key is not None:
            self.sender = Sender(self.journal, self._target.base_url, self._target.api_key)

    def _drain_guarded(self) -> None:
        try:
            self._drain()
        except Exception as error:
            say_error("writing down points", error)

    def _drain(self) -> None:
        graphs = list(self.graphs)  # before the records: a graph's record is put before the graph is listed
        limits = [graph.limit() for graph in graphs]
        self._full = sum(graph.waiting() for graph in graphs) > FULL
        self.signal = self.signal or self._full
        lines: list[bytes] = []
        while self._records:
            record = self._records.popleft()
            try:
                lines.append(record_line(record))
            except Exception as error:
                say_error(f"writing down a {record.get('type')} record", error)
        self._write(lines, 0)
        for graph, limit in zip(graphs, limits, strict=True):
            self._drain_graph(graph, limit)
        if self._full:
            self._full = sum(graph.waiting() for graph in graphs) > FULL

    def _drain_graph(self, graph: Graph, limit: int) -> None:
        lines: list[bytes] = []
        points = 0
        while taken := graph.take(limit):
            self.last_point_at = max(self.last_point_at, taken.t[-1])
            for line, count in points_lines(graph.id, taken, yielding=not self._full):
                lines.append(line)
                points += count
                if sum(map(len, lines)) > WRITE_BYTES:
                    self._write(lines, points)
                    lines, points = [], 0
        self._write(lines, points)

    def _write(self, lines: list[bytes], points: int) -> None:
        if not lines or self.journal is None or self.closed:
            return
        try:
            self.journal.append(lines)
        except OSError as error:
            self.dropped += points
            say_once(
                ("disk", self.journal.path),
                f"the journal cannot be written ({error}); points are dropped until it can. The session shows how many",
            )
            return
        if self.sender is not None:
            if self.sender.deleted:
                self._give_up()
            self._tell_sender()

    def _tell_sender(self) -> None:
        assert self.sender is not None
        if self.sender.is_started:
            self.sender.nudge()
        else:
            self.sender.start()

    def _finish(self, ending: Record) -> None:
        if self.dropped:
            ending = {**ending, "dropped": self.dropped}
        self._write([record_line(ending)], 0)
        if self.journal is not None:
            self.journal.finish()
        if self.sender is not None:
            self._tell_sender()

    def _give_up(self) -> None:
        """Nothing can be recorded: appends cost nothing from here on, and memory does not grow."""
        self.closed = True
        self.signal = False
        for graph in list(self.graphs):
            graph._outbox = None


class _Unwritable(Exception):
    """The journal cannot be opened; it was said already."""


def _wait_until(done: Callable[[], bool], timeout: float) -> bool:
    """Poll, since a signal handler that runs in the middle must be able to wait for the same thing."""
    deadline = time.monotonic() + timeout
    pause = 0.001
    while not done():
        if time.monotonic() >= deadline:
            return done()
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)
    return True
