"""The sender thread: deliver the journal of a session while it grows."""

from __future__ import annotations

import contextlib
import glob
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator

from losswise.delivery.client import Client, preload
from losswise.delivery.outages import OutageReporter
from losswise.delivery.pacing import DEFAULT_TIMING, Timing, reserve_start
from losswise.delivery.replay import start_backfill
from losswise.delivery.uploader import MAX_BATCH_BYTES, Step, StepResult, Uploader
from losswise.journal.paths import SUFFIX
from losswise.journal.reader import JournalReader
from losswise.journal.writer import Journal
from losswise.protocol.records import is_sha256
from losswise.util.credentials import Target
from losswise.util.guard import guarded_thread
from losswise.util.messages import notify
from losswise.util.paths import journal_folders

OPEN_ATTEMPTS = 5  # to open the journal, one second apart
# how long callers wait for a server that refuses connections or rejects the key, if they ask for no shorter time
REFUSED_GRACE_S = 2.0


class Sender:
    """Delivers one journal on its own thread, until everything in it is acknowledged. Made on the caller's thread.

    Args:
        target: the server's address and key.
        on_deleted: called on the thread when the server says that the session is deleted.

    Attributes:
        thread: not started yet.
        outages: why nothing is acknowledged, also for other threads.
    """

    def __init__(self, target: Target, on_deleted: Callable[[], None], timing: Timing = DEFAULT_TIMING) -> None:
        self.acknowledged = 0  # number of the last record that the server has
        self.last_ack_at = 0.0  # when the server last took records or an image (`time.monotonic`)
        self.refused = False  # the last attempt was refused at once, and no other is under way
        self.finished = False  # everything is acknowledged, or the session was deleted on the server
        self.stopped = False  # nothing more will be sent, although not everything was
        # who waits for the delivery; a set, since a signal handler may begin to wait while what it interrupted waits
        self.waiting: set[object] = set()
        self._ahead = 0
        self._target, self._on_deleted, self._timing = target, on_deleted, timing
        preload()
        self._has_backfill = any(glob.glob(f"*{SUFFIX}", root_dir=folder) for folder in journal_folders())
        self._client = Client(target.base_url, target.api_key or "", timing.response_timeout)
        self.outages = OutageReporter(self._client, notify, False, timing)
        self._started_at = float("-inf")  # the last request
        self._journal: Journal | None = None
        self._opened = threading.Event()
        self._is_urgent = self._is_last_sent = False
        # not an Event, whose lock the code that a signal handler interrupted may hold
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.thread = guarded_thread(self._run, "losswise-sender")

    # called by other threads

    def begin(self, journal: Journal | None) -> None:
        """Set the journal to send, or None if it could not be created."""
        self._journal = journal
        self.stopped = self.stopped or journal is None
        self._opened.set()

    def is_at_work(self) -> bool:
        """Return whether more may be sent."""
        return not (self.finished or self.stopped) and self.thread.is_alive()

    @property
    def journal(self) -> Journal:
        """The journal, once it is open."""
        assert self._journal is not None
        return self._journal

    def has_sent(self, count: int) -> bool:
        """Return whether the server has the first `count` records, and all images."""
        return self.acknowledged >= count and not self._count_images()

    def unsent(self) -> int:
        """Number of records and images that the server does not have yet."""
        if self._journal is None:
            return 0
        return self.journal.count + len(self.journal.unwritten) - self.acknowledged + self._count_images()

    def unsent_size(self) -> int:
        """About how many bytes the server does not have yet. Headers of segments are included."""
        return max(0, self.journal.size - self._ahead) + sum(map(len, self.journal.unwritten))

    def is_hopeless(self, since: float) -> bool:
        """Whether a caller that has waited since `since` (`time.monotonic`) should give up: the server refuses."""
        return self.refused and time.monotonic() - max(since, self.last_ack_at) > REFUSED_GRACE_S

    def nudge(self, at_once: bool = False) -> None:
        """Wake the thread: the journal has grown or is complete. With `at_once`, do not wait for more to send."""
        if at_once:
            self._is_urgent = True
        self._wakes.put(None)

    @contextlib.contextmanager
    def waited_for(self) -> Iterator[None]:
        """While a caller waits for the delivery: do not wait for more to send, and retry often."""
        waiter = object()
        try:
            self.waiting.add(waiter)
            self._wakes.put(None)
            yield
        finally:
            self.waiting.discard(waiter)

    def _count_images(self) -> int:
        with contextlib.suppress(OSError):
            return sum(is_sha256(name) for name in os.listdir(self._journal.paths.blobs)) if self._journal else 0
        return 0

    # the thread

    def _run(self) -> None:
        self._opened.wait()
        if self._journal is None:
            return
        paths = self._journal.paths
        try:
            with contextlib.closing(self._client), contextlib.closing(self._open()) as reader:
                is_deleted = self._deliver(reader)
                is_at_end = reader.is_at_end()
            if is_deleted or (is_at_end and not self.stopped):
                paths.remove()
            self.finished = is_deleted or not self.stopped
        finally:
            paths.sending.release(remove=True)
            self.stopped = not self.finished

    def _open(self) -> JournalReader:
        """Open the journal. A network file system may fail for a moment."""
        for _ in range(OPEN_ATTEMPTS):
            with contextlib.suppress(OSError, ValueError):
                return JournalReader(self.journal.paths.segment(1))
            time.sleep(1.0)
        return JournalReader(self.journal.paths.segment(1))

    def _deliver(self, reader: JournalReader) -> bool:
        """Send until everything is acknowledged, or nothing more will be. Returns whether the session was deleted."""
        journal = self.journal
        uploader = Uploader(
            reader, self._client, outages=self.outages, await_turn=self._await_turn, timing=self._timing
        )
        last_request_at = time.monotonic()
        while not self.stopped:
            complete, count = journal.complete, journal.count
            self.refused = False  # callers do not give up during an attempt
            result = uploader.step()
            if uploader.acknowledged > self.acknowledged or uploader.freed:
                if not self.acknowledged and self._has_backfill:
                    start_backfill(journal.paths.folder, self._target)
                self.acknowledged, self._ahead = uploader.acknowledged, uploader.ahead
                self.last_ack_at = time.monotonic()
                journal.removed += uploader.freed
                uploader.freed = 0
            if result.step is Step.IDLE:
                if complete and uploader.acknowledged >= count:
                    if not journal.unwritten:
                        break
                    uploader.add(journal.unwritten)
                    journal.count += len(journal.unwritten)
                    journal.unwritten = []
                    continue
                if self._is_woken(last_request_at + self._timing.heartbeat - time.monotonic()):
                    continue
                result = uploader.heartbeat()
            last_request_at = time.monotonic()
            self.refused = result.refused
            if result.step is Step.DELETED:
                self._on_deleted()
                return True
            if result.step is Step.RETRY:
                self._back_off(result)
        if not self.stopped:
            uploader.quarantine.close()
        return False

    def _await_turn(self, interval: float) -> None:
        """Wait until a request may start, so many seconds after the last one. A session's last one starts at once."""
        reserved = 0.0
        while not (self.stopped or self._is_last_request()):
            is_hurried = self.waiting or self._is_urgent
            start = self._started_at + (min(interval, self._timing.min_interval) if is_hurried else interval)
            if start <= time.monotonic():
                start = reserved = reserved or reserve_start()
            left = start - time.monotonic()
            if left <= 0:
                break
            self._is_woken(left)  # a caller may wait by now, or the journal be complete
        self._is_urgent = False
        self._started_at = time.monotonic()

    def _is_last_request(self) -> bool:
        """Return whether all that is left fits into one request. True once."""
        if self._is_last_sent or not self.journal.complete or self.unsent_size() > MAX_BATCH_BYTES:
            return False
        self._is_last_sent = True
        return True

    def _back_off(self, result: StepResult) -> None:
        """Pause before the next attempt. It ends when a caller begins to wait, unless the server asked for it."""
        is_hurried = bool(self.waiting) and not result.requested
        until = time.monotonic() + (min(result.pause, self._timing.waiting_retry) if is_hurried else result.pause)
        while (left := until - time.monotonic()) > 0 and not self.stopped:
            if self.waiting and not (is_hurried or result.requested):
                return
            self._is_woken(left)

    def _is_woken(self, seconds: float) -> bool:
        """Sleep for so many seconds at most. True if the thread was woken."""
        try:
            self._wakes.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return False
        while not self._wakes.empty():  # only this thread takes from it
            self._wakes.get()
        return True
