"""The sender thread: reads a session's journal as it grows and delivers it."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from losswise.delivery import backfill
from losswise.delivery.client import Wire
from losswise.delivery.uploader import Delivery, Outcome, Step
from losswise.journal.format import Header
from losswise.journal.reader import Reader
from losswise.journal.writer import Journal
from losswise.protocol.records import is_sha256
from losswise.settings import Target
from losswise.util.guard import guarded_thread

HEARTBEAT = 10.0
"""Seconds of silence after which a heartbeat is sent."""
READ_AGAIN = 5
"""Attempts to open the journal, a second apart."""
LAST_PAUSE = 0.5
"""Longest pause between attempts while somebody waits for the end."""
REFUSED = 2.0
"""Seconds that somebody waits where nobody listens or the key is not accepted, if nothing shorter is asked for."""


class Sender:
    """Delivers one journal on a thread of its own, until everything in it is acknowledged.

    Args:
        target: the server's address and key.
        on_deleted: called on the thread when the server says that the session is deleted.

    Attributes:
        acknowledged: number of the last record that the server has.
        heard_at: when it last took records or an image (time.monotonic), or 0.
        refused: the last attempt was turned away at once, and no other is under way.
        finished: everything is acknowledged and the journal is removed.
        stopped: nothing more will be sent, though not everything was.
        deleted: the session was deleted on the server.
    """

    def __init__(self, target: Target, on_deleted: Callable[[], None] = lambda: None) -> None:
        self.acknowledged = 0
        self.heard_at = 0.0
        self.refused = False
        self.finished = False
        self.stopped = False
        self.deleted = False
        self._waiting: set[object] = set()  # whoever waits; changed in one step, since a signal handler may wait, too
        self._is_urgent = False
        self._hurrying: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._ahead = 0
        self._delivery: Delivery | None = None
        self._journal: Journal | None = None
        self._opened = threading.Event()
        self._target = target
        self._on_deleted = on_deleted
        self._wire = Wire(target.base_url, target.api_key or "")
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = guarded_thread(self._run, "losswise-sender")

    def start(self) -> None:
        """Start the thread. Not later than the scribe's: a process that ends can start none any more.

        Raises:
            RuntimeError: no thread can be started.
        """
        self._thread.start()

    def begin(self, journal: Journal | None) -> None:
        """Send this journal. None: there is none to send."""
        self._journal = journal
        self.stopped = journal is None
        self._opened.set()

    def is_at_work(self) -> bool:
        """Something more may still come of it."""
        return not (self.finished or self.stopped) and self._thread.is_alive()

    @property
    def header(self) -> Header:
        """Of the journal."""
        assert self._journal is not None
        return self._journal.header

    @property
    def folder(self) -> Path:
        """Where the journal lies."""
        assert self._journal is not None
        return self._journal.paths.folder

    def has_sent(self, count: int) -> bool:
        """Whether the server has so many records, and all images."""
        return self.acknowledged >= count and not self._images()

    def _images(self) -> int:
        with contextlib.suppress(OSError):
            return sum(is_sha256(name) for name in os.listdir(self._journal.paths.blobs)) if self._journal else 0
        return 0

    def unsent(self) -> int:
        """Records and images that the server does not have yet."""
        if self._journal is None:
            return 0
        return self._journal.count + len(self._journal.unwritten) - self.acknowledged + self._images()

    def unsent_size(self) -> int:
        """Bytes of them, about: the heads of files are counted in."""
        if self._journal is None:
            return 0
        return max(0, self._journal.size - self._ahead) + sum(map(len, self._journal.unwritten))

    def cause(self) -> str:
        """Why nothing is taken, as a sentence; empty where nothing is known, or it was told."""
        return self._delivery.cause() if self._delivery is not None else ""

    def is_hopeless(self, since: float) -> bool:
        """Whether waiting has no sense any more that began then (time.monotonic)."""
        return self.refused and time.monotonic() - max(since, self.heard_at) > REFUSED

    def nudge(self, at_once: bool = False) -> None:
        """The journal has grown, or is complete. With `at_once`, by what does not gather."""
        if at_once:
            self._is_urgent = True
            self._hurrying.put(None)
        self._wake.put(None)

    @property
    def hurried(self) -> bool:
        """Somebody waits for the end: it tries at once, and often."""
        return bool(self._waiting)

    @contextlib.contextmanager
    def waited_for(self) -> Iterator[None]:
        """While somebody waits."""
        waiter = object()
        try:
            self._waiting.add(waiter)
            self._hurrying.put(None)
            self._wake.put(None)
            yield
        finally:
            self._waiting.discard(waiter)

    def _rest(self, seconds: float) -> None:
        """Let steps gather, unless somebody waits or something else has come."""
        until = time.monotonic() + seconds
        while not self._waiting and not self._is_urgent and (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                self._hurrying.get(timeout=left)
        self._is_urgent = False

    def _run(self) -> None:
        self._opened.wait()
        if self._journal is None:
            return
        try:
            self._send(self._journal)
            self.finished = not self.stopped
        finally:
            self._journal.paths.sending.release(remove=True)
            self.stopped = not self.finished

    def _send(self, journal: Journal) -> None:
        reader = self._read(journal)
        delivery = self._delivery = Delivery(reader, self._wire, rest=self._rest)
        try:
            self._deliver(delivery, journal)
            is_at_end = reader.is_at_end()
        finally:
            reader.close()
            self._wire.close()
            self.acknowledged = delivery.acknowledged
        if delivery.deleted or (is_at_end and not self.stopped):
            journal.paths.remove()

    def _read(self, journal: Journal) -> Reader:
        """A network file system may fail for a moment."""
        for _ in range(READ_AGAIN):
            with contextlib.suppress(OSError, ValueError):
                return Reader(journal.paths.segment(1))
            time.sleep(1.0)
        return Reader(journal.paths.segment(1))

    def _deliver(self, delivery: Delivery, journal: Journal) -> None:
        spoke_at = time.monotonic()
        while True:
            complete, count = journal.complete, journal.count
            self.refused = False  # nobody gives up while this attempt is under way
            outcome = delivery.step()
            if outcome.step is Step.IDLE:
                if complete and delivery.acknowledged >= count:
                    if not journal.unwritten:
                        return
                    delivery.add(journal.unwritten)
                    journal.count += len(journal.unwritten)
                    journal.unwritten = []
                    continue
                silence = time.monotonic() - spoke_at
                if not self._pause(HEARTBEAT - silence):
                    continue
                outcome = delivery.heartbeat()
            spoke_at = time.monotonic()
            if not self._learn(delivery, outcome, journal):
                return

    def _learn(self, delivery: Delivery, outcome: Outcome, journal: Journal) -> bool:
        """Note what came of a step, and wait as it asks for. False: nothing more is to be sent."""
        self.refused = outcome.refused
        if outcome.step is Step.STOPPED:
            self.deleted = delivery.deleted
            self.stopped = True
            if self.deleted:
                self._on_deleted()
            return False
        if delivery.acknowledged > self.acknowledged or delivery.freed:
            if not self.acknowledged:
                backfill.send_soon(journal.paths.folder, self._target)
            self.acknowledged = delivery.acknowledged
            self.heard_at = time.monotonic()
            self._ahead = delivery.ahead
            journal.forgotten(delivery.freed)
            delivery.freed = 0
        if outcome.step is Step.RETRY:
            self._back_off(outcome)
        return True

    def _back_off(self, outcome: Outcome) -> None:
        until = time.monotonic() + outcome.pause
        was_hurried = self.hurried or outcome.wished
        while (left := until - time.monotonic()) > 0:
            if self.hurried and not outcome.wished:
                if not was_hurried:
                    return
                left = min(left, LAST_PAUSE)
                until = min(until, time.monotonic() + left)
            self._pause(left)

    def _pause(self, seconds: float) -> bool:
        """Wait until nudged or for so many seconds. True: nobody nudged."""
        try:
            self._wake.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return True
        with contextlib.suppress(queue.Empty):
            while True:
                self._wake.get_nowait()
        return False
