"""Starts, flushes and ends what takes a session's points and records to the journal and to the server.

The caller's thread fills the RecordQueue and looks at one flag; the JournalWriter, a thread, empties it into the
journal; the Sender, another thread, reads the journal. None of them waits for the next one, except that `append`
waits for the local disk once 20 MiB of points are in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from losswise import settings
from losswise.delivery.sender import Sender
from losswise.journal.format import Header
from losswise.journal.writer import Journal
from losswise.protocol.limits import MAX_KEPT
from losswise.protocol.records import Record, mark_record, new_id
from losswise.recording.journal_writer import JournalWriter
from losswise.recording.record_queue import MAX_HELD_BYTES, EncodedImage, RecordQueue
from losswise.util.credentials import Target
from losswise.util.guard import guarded
from losswise.util.messages import notify_once
from losswise.util.paths import journal_folders
from losswise.util.polling import wait_until

MAX_IMAGE_BYTES = 8 * 1024 * 1024  # memory for encoded images that wait for the local disk; a larger one goes alone
APPEND_WAIT_S = 0.002  # how long one `append` waits for the disk while memory is full
MEMORY_CHECK_INTERVAL_S = 0.1  # during a write that takes longer than this, callers check the memory, this often
TEXT_WAIT_S = 10.0  # how long adding a large text waits for the disk at most
MARK_WAIT_S = 0.25  # how long a mark waits for the disk at most, usually a few milliseconds


class Recorder:
    """Takes a session's records to a journal, and the journal to a server.

    Args:
        opening: returns the records with which a writer's journal begins.

    Attributes:
        online: the journal is sent; otherwise it is only kept.
        ended: of the writers that have ended, by id, the number after their last mark.
        is_exiting: the process ends, so nothing may open another writer.
    """

    def __init__(self, session_id: str, target: Target, opening: Callable[[], list[Record]]) -> None:
        self.session_id = session_id
        self.queue = RecordQueue()
        self.queue.start_or_wake = self.start_or_wake
        self.online = settings.mode() == "online" and target.api_key is not None
        self.is_exiting = False
        self._target = target
        self._folders = journal_folders()
        self._bound = settings.journal_bound()
        self._opening = opening
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.RLock()  # reentrant: a signal handler may end the session within `_start`
        self._writer: JournalWriter | None = None
        self._memory_checked_at = 0.0
        self.ended: dict[str, int] = {}

    def after_fork(self) -> None:
        """In a forked child: the parent sends what it has; what the child adds gets a writer of its own."""
        if self._writer is not None and self._writer.journal is not None:
            self._writer.journal.abandon()
        self._reset()
        self.queue.reset()

    @property
    def open(self) -> bool:
        """Whether a writer is at work. After `end` the next record opens another one."""
        writer = self._writer
        return writer is not None and writer.ending is None

    # the caller's thread

    @guarded("starting to write the journal")
    def start_or_wake(self) -> None:
        """Start or wake the journal writer; wait a little for the disk if memory is full."""
        queue = self.queue
        queue.needs_attention = False
        writer = self._start()
        if writer is None:
            return
        if writing_since := writer.writing_since:
            # check the memory in place of the writer, which one write on a slow disk may hold up for long
            queue.needs_attention = True
            now = time.monotonic()
            if now > max(writing_since, self._memory_checked_at) + MEMORY_CHECK_INTERVAL_S:
                self._memory_checked_at = now
                queue.check_memory()
        else:
            writer.wake()
        if queue.full and writer.is_writing():
            queue.needs_attention = True
            self._slow_down()

    def _slow_down(self) -> None:
        """Wait a moment in each call, so that no single call waits long."""
        notify_once(
            ("full", self.session_id),
            "points come faster than the disk takes them, so `append` waits for it now and then; "
            "graph(display_interval=N) keeps every Nth point",
        )
        time.sleep(APPEND_WAIT_S if self.queue.held() < 2 * MAX_HELD_BYTES else 10 * APPEND_WAIT_S)

    def put(self, record: Record) -> None:
        """Add a record that is neither a points nor an image record."""
        queue = self.queue
        writer = self._start()
        if writer is None or queue.closed:
            return
        queue.put(record)
        writer.wake()
        until = time.monotonic() + TEXT_WAIT_S
        while queue.record_bytes > MAX_HELD_BYTES and writer.is_writing() and time.monotonic() < until:
            self._slow_down()

    def put_image(self, image: EncodedImage) -> bool:
        """Add an image. Returns False if too many images wait for the disk: it should be offered again later."""
        queue = self.queue
        writer = self._start()
        if writer is None or queue.closed or (self.is_exiting and not self.open):
            return True
        waiting = sum(len(image.data) for image in queue.images.copy())
        if waiting and waiting + len(image.data) > MAX_IMAGE_BYTES:
            return False
        queue.images.append(image)
        writer.wake()
        return True

    def _start(self) -> JournalWriter | None:
        """Open a writer if none is at work: the journal thread and, online, the sender thread.

        Returns:
            The writer. If the session can have no further one, it is the last one, or None.
        """
        queue = self.queue
        if self.open:  # without the lock, under which another thread may wait for the disk
            return self._writer
        with self._lock:
            if self.open or queue.closed:
                return self._writer
            if self.is_exiting:
                notify_once("last", "the script has ended, and its sessions with it; what comes now is not recorded")
                return self._writer  # for callers to slow down: at full speed they would leave it no processor time
            if self._writer is not None:  # the previous writer has its last lines to write
                self._writer.thread.join(timeout=5.0)
                self.ended = dict([*self.ended.items(), *self.next_mark().items()][-MAX_KEPT:])
            queue.records.extendleft(reversed(self._opening()))
            sender = Sender(self._target, on_deleted=queue.close) if self.online else None
            id_ = new_id()
            journal = partial(self._create_journal, id_)
            self._writer = writer = JournalWriter(id_, queue, journal, sender, self._bound)
            try:
                writer.thread.start()
            except RuntimeError as error:  # a limit of the system, or the interpreter is shutting down
                self._writer = None
                notify_once(("thread", self.session_id), f"no thread can be started ({error}); nothing is recorded")
                queue.close()
                return None
            try:
                if sender is not None:
                    sender.thread.start()
            except RuntimeError as error:
                notify_once("sender", f"no thread can be started ({error}); what is recorded is only kept")
            return writer

    def _create_journal(self, writer: str) -> Journal | None:
        """Create the journal in the first folder that can be written. Returns None, with a message, if none can."""
        header = Header.of_this_process(self.session_id, writer, self._target.base_url)
        first, problem, journal = self._folders[0], None, None
        for folder in self._folders:
            try:
                journal = Journal(folder, header, sends=self.online, bound=self._bound)
                break
            except OSError as error:
                problem = problem or error
        if problem is not None:
            kept = f"({problem.strerror}), so it is kept in {folder};"
            result = kept if journal is not None else f"({problem}); this session is not recorded."
            line = f"no journal can be written in {first} {result} LW_JOURNAL_DIR names another folder"
            notify_once(("journal", first), line)
        return journal

    def is_writing(self) -> bool:
        """Return whether a writer is at work, be it on its last lines."""
        return self.open or (self._writer is not None and self._writer.is_writing())

    def ending_writer(self) -> JournalWriter | None:
        """Return the writer of a session that something else is just ending; None if nothing is at work."""
        writer = self._writer
        if writer is None:
            return None
        is_sending = writer.sender is not None and writer.sender.is_at_work()
        return writer if writer.is_writing() or is_sending else None

    @guarded("writing the journal", default=False)
    def write_out(self, timeout: float) -> bool:
        """Wait until everything recorded before this call is in the journal, at most `timeout` seconds.

        Returns:
            Whether it is.
        """
        writer = self._writer
        if writer is None or writer.ending is not None:
            return False
        writer.requested += 1
        requested = writer.requested
        writer.wake(urgent=True)
        return wait_until(lambda: writer.written >= requested or not writer.is_writing(), timeout)

    def next_mark(self) -> dict[str, int]:
        """Return the number of the next mark, by the writer's id; empty without a writer.

        A writer that has ended sets no mark any more, so this number stands for all that it has recorded.
        """
        return {} if self._writer is None else {self._writer.id: self._writer.marks + 1}

    def put_mark(self) -> None:
        """Mark the place between what is recorded before this call and what comes after it, if a writer is at work."""
        writer = self._writer
        if writer is not None and self.open:
            is_written = self.write_out(MARK_WAIT_S)
            writer.marks += 1
            self.put(mark_record(writer.marks, None if is_written else time.time()))

    def flush(self, timeout: float) -> bool:
        """Wait `timeout` seconds for the server to acknowledge everything recorded before this call.

        Gives up early if the server refuses connections.

        Returns:
            Whether everything is acknowledged and no point was dropped; always False offline.
        """
        begun = time.monotonic()
        if not self.open and self.queue.has_work():
            self.start_or_wake()
        self.write_out(timeout)
        writer = self._writer
        if writer is None or writer.journal is None or writer.sender is None:
            return False
        sender, count = writer.sender, writer.journal.count
        sender.nudge()
        left = begun + timeout - time.monotonic()
        with sender.waited_for():
            wait_until(lambda: sender.has_sent(count) or not sender.is_at_work() or sender.is_hopeless(begun), left)
        return sender.has_sent(count) and not writer.dropped.total

    def end(self, status: Record) -> JournalWriter | None:
        """Have what is left and this status, as the last record, written. What comes later opens another writer.

        Returns:
            The writer, for whose delivery `lifecycle` waits; None if the session had ended before.
        """
        with self._lock:
            writer = self._writer
            if writer is None or writer.ending is not None:
                return None
            writer.ending = status
            self.queue.needs_attention = True
            writer.wake(urgent=True)
            return writer
