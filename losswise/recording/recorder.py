"""Between a session and its journal: what was recorded and not yet written.

The caller's thread fills buffers and looks at one flag; the scribe, a thread, empties them into the journal;
the sender, another, reads the journal. None of them waits for the next, save that `append` waits for the local
disk where 20 MiB of points have gathered.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from losswise.delivery.sender import Sender
from losswise.journal.writer import Journal
from losswise.protocol.records import Record
from losswise.recording.journal_writer import Scribe, rough_size
from losswise.recording.point_buffer import Spread
from losswise.util.guard import guarded
from losswise.util.messages import say_once
from losswise.util.polling import wait_until

if TYPE_CHECKING:
    from losswise.graph import Graph
    from losswise.notebook.curves import Sketch
    from losswise.settings import Target

FULL = 20 * 1024 * 1024
"""Bytes of points in memory at which `append` waits for the local disk."""
MOMENT = 0.002
"""Seconds that an `append` waits then."""
LOOK = 0.1
"""Seconds that a write takes from which on callers look at the memory, and between two looks."""
LONG = 10.0
"""Seconds that a large text waits at most."""


class Source(Protocol):
    """Something that gathers records by itself, such as the console's output."""

    def take(self, final: bool) -> list[Record]:
        """What is due, called by the scribe; with `final`, all there is."""

    def waiting(self) -> int:
        """Bytes that will be due."""

    def after_fork(self) -> None:
        """In a forked child: forget what the parent sends."""


class Outbox:
    """Takes a session's records to a journal, and the journal to a server.

    Args:
        session_id: 20 hex digits.
        target: where the journal goes.
        folders: where it may lie; the first that can be written is taken.
        online: send it; else it is only kept.
        bound: bytes on the disk beyond which points are dropped.
        opening: gives the records with which a writer's journal begins.

    Attributes:
        signal: the next append shall call `attend`: the scribe sleeps, or memory is full.
        full: `append` shall wait for the disk.
        open: a writer is at work. After `end` the next record opens another.
        closed: nothing can be recorded any more (deleted on the server, no disk); whatever comes is dropped.
        graphs, spreads, records, sources: what the scribe empties; spreads by their names.
        numbers: of the points of all graphs, in the order in which they come.
        records_size: bytes of the records, about.
        asked: number of the last call that waits until all before it is written.
        last_x: the greatest x written so far.
        on_close: called when nothing can be recorded any more.
        sketch: a picture of the curves, in a notebook only.
        is_last: the process ends, so that nothing opens another writer.
    """

    def __init__(
        self,
        session_id: str,
        target: Target,
        folders: list[Path],
        online: bool,
        bound: int,
        opening: Callable[[], list[Record]],
    ) -> None:
        self.session_id = session_id
        self.target = target
        self.folders = folders
        self.online = online and target.api_key is not None
        self.bound = bound
        self.graphs: list[Graph] = []
        self.sources: list[Source] = []
        self.closed = False
        self.last_x = 0
        self.sketch: Sketch | None = None
        self.is_last = False
        self.on_close: Callable[[], None] = lambda: None
        self._opening = opening
        self._reset()

    def _reset(self) -> None:
        self.signal = True
        self.full = False
        self.open = False
        self.asked = 0
        self.records: deque[Record] = deque()
        self.records_size = 0
        self.numbers = itertools.count()
        self.spreads: dict[Any, Spread] = {}
        self._lock = threading.RLock()
        self._scribe: Scribe | None = None
        self._looked_at = 0.0

    def after_fork(self) -> None:
        """In a forked child: the parent sends what it has; what the child adds gets a writer of its own."""
        journal = self.journal
        if journal is not None:
            journal.abandon()
        self._reset()
        for graph in self.graphs:
            graph._clear()
        for source in self.sources:
            source.after_fork()

    @property
    def journal(self) -> Journal | None:
        return self._scribe.journal if self._scribe is not None else None

    @property
    def sender(self) -> Sender | None:
        return self._scribe.sender if self._scribe is not None else None

    @property
    def last_point_at(self) -> float:
        """Unix seconds of the latest point written down; 0 where there is none."""
        return self._scribe.last_point_at if self._scribe is not None else 0.0

    # the caller's thread

    @guarded("starting to write the journal")
    def attend(self) -> None:
        """Wake or start the scribe; where memory is full, wait for the disk a little."""
        self.signal = False
        if not self.open:
            self._start()
        scribe = self._scribe
        if scribe is None:
            return
        if scribe.writing_since:
            self._look_at_memory(scribe.writing_since)
        else:
            scribe.wake()
        if self.full and scribe.is_writing():
            self.signal = True
            self._slow_down()

    def _look_at_memory(self, since: float) -> None:
        """While the scribe is held up by the disk, which may take long, the caller sees to it that memory stays
        bounded."""
        self.signal = True
        now = time.monotonic()
        if now > max(since, self._looked_at) + LOOK:
            self._looked_at = now
            self.full = self.is_full()

    def _slow_down(self) -> None:
        """Each call waits for a moment, so that none waits long."""
        say_once(
            ("full", self.session_id),
            "points come faster than the disk takes them, so `append` waits for it now and then; "
            "graph(display_interval=N) keeps every Nth point",
        )
        time.sleep(MOMENT if self.held() < 2 * FULL else 10 * MOMENT)

    def put(self, record: Record) -> None:
        """Add a record that is no points record."""
        if self.closed:
            return
        if not self.open:
            self._start()
        self.records.append(record)
        self.records_size += rough_size(record)
        scribe = self._scribe
        if scribe is None:
            return
        scribe.wake()
        until = time.monotonic() + LONG
        while self.records_size > FULL and scribe.is_writing() and time.monotonic() < until:
            self._slow_down()

    def _start(self) -> None:
        with self._lock:
            if self.open or self.closed:
                return
            if self.is_last:
                say_once("last", "the script has ended, and its sessions with it; what comes now is not recorded")
                return
            if self._scribe is not None:  # the writer before this one has its last lines to write
                self._scribe.join(timeout=5.0)
            self.records.extend(self._opening())
            self._scribe = Scribe(self)
            self.open = True
            try:
                self._scribe.start()
            except RuntimeError as error:  # a limit of the system, or the process is at its end
                self.open = False
                say_once(("thread", self.session_id), f"no thread can be started ({error}); nothing is recorded")
                self.close()

    def has_work(self) -> bool:
        """Something waits to be written."""
        return bool(
            self.records
            or any(spread.waiting() for spread in list(self.spreads.values()))
            or any(graph.waiting() and not graph.is_slow() for graph in list(self.graphs))
            or any(source.waiting() for source in list(self.sources))
        )

    def is_writing(self) -> bool:
        """A writer is at work, be it on its last lines."""
        return self.open or (self._scribe is not None and self._scribe.is_writing())

    def held(self) -> int:
        """Bytes in memory."""
        buffers: list[Graph | Spread] = [*self.graphs, *list(self.spreads.values())]
        return self.records_size + sum(buffer.held() for buffer in buffers)

    def is_full(self) -> bool:
        return self.held() > FULL

    def limit(self) -> int:
        """A number above those of all points that were added before this call."""
        return next(self.numbers)

    def write_out(self, timeout: float) -> bool:
        """Have everything that was recorded before this call written to the journal. False: not in time."""
        scribe = self._scribe
        if not self.open or scribe is None:
            return True
        self.asked += 1
        asked = self.asked
        scribe.wake(urgent=True)
        return wait_until(lambda: scribe.written >= asked or not scribe.is_writing(), timeout)

    def flush(self, timeout: float) -> bool:
        """Wait until the server has acknowledged all that was recorded before this call, while there is hope."""
        begun = time.monotonic()
        deadline = begun + timeout
        if not self.open and self.has_work():
            self.attend()
        self.write_out(timeout)
        scribe = self._scribe
        if scribe is None or scribe.journal is None or scribe.sender is None:
            return False
        sender, count = scribe.sender, scribe.journal.count
        sender.nudge()
        left = deadline - time.monotonic()
        with sender.waited_for():
            wait_until(lambda: sender.has_sent(count) or not sender.is_at_work() or sender.is_hopeless(begun), left)
        return sender.has_sent(count) and not scribe.losses.total

    def end(self, status: Record) -> Scribe | None:
        """Write down what is left and this status as the last record. None: it had ended before.

        Returns:
            What `waiting.wait_delivered` waits for. What is recorded from here on opens another writer.
        """
        with self._lock:
            if not self.open or self._scribe is None:
                return None
            self._scribe.ending = status
            self.open = False
            self.signal = True
            self._scribe.wake(urgent=True)
            return self._scribe

    def close(self) -> None:
        """Nothing can be recorded: appends cost nothing from here on, and memory does not grow."""
        self.closed = True
        self.signal = False
        self.records.clear()
        self.records_size = 0
        self.spreads.clear()
        for graph in list(self.graphs):
            graph._outbox = None
            graph._clear()
        self.on_close()
        self.sources.clear()
