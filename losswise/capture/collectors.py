"""What works beside a session: gathering facts, the console's output, the system's graphs, images."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from losswise.capture.environment import Gathering
from losswise.protocol.records import Record, session_record
from losswise.recording.image_encoder import ImageThread
from losswise.util.guard import guarded

if TYPE_CHECKING:
    from losswise.capture.console import Console
    from losswise.capture.system import SystemMonitor
    from losswise.recording.recorder import Outbox
    from losswise.session import Session

OPENING = 5.0
"""Seconds that an image waits for the journal to be opened."""

COUNTED = 10_000
"""Images whose size is known to be counted."""
LAST_FACTS = 2.0
"""Seconds that facts which are still gathered get at the end."""
LAST_IMAGES = 10.0
"""Seconds that images which are still encoded get at the end."""


class Companions:
    """The helpers of one session.

    Attributes:
        images: makes PNGs of images on a thread of its own.
    """

    def __init__(self, session: Session, outbox: Outbox) -> None:
        self.images = ImageThread(self._put_image, self._blob_folder, self._open)
        outbox.on_close = self.close
        self._session = session
        self._outbox = outbox
        self._is_child = False
        self._counted: dict[str, None] = {}
        self._facts: Gathering | None = None
        self._console: Console | None = None
        self._system: SystemMonitor | None = None

    @guarded("starting what works beside a session")
    def start(self, console: bool, system: bool, track_git: bool, command_line: bool) -> None:
        """Start what is wanted. Never raises."""
        self._facts = Gathering(self._put_facts, track_git, command_line)
        self._facts.start()
        if console:
            from losswise.capture.console import Console

            self._console = Console(self._wake)
            self._outbox.sources.append(self._console)
        if system:
            from losswise.capture.system import SystemMonitor

            self._system = SystemMonitor(self._session.graph, lambda: self._outbox.last_x)
        self.go_on()

    @guarded("going on with what works beside a session")
    def go_on(self) -> None:
        """The session is active, at the start or again."""
        if self._console is not None:
            self._console.start()
        if self._system is not None:
            self._system.start()

    @guarded("ending what works beside a session")
    def finish(self, begun: float, most: float) -> None:
        """Before the last record: hear out what is still under way, for a moment.

        Args:
            begun: when the end began (time.monotonic), the same for all sessions that end together.
            most: seconds since then, for all of it.
        """
        if self._system is not None:
            self._system.stop()
        if self._facts is not None:
            self._facts.wait(max(0.0, begun + min(LAST_FACTS, most) - time.monotonic()))
        if not self.images.wait(begun + min(LAST_IMAGES, most) - time.monotonic()):
            self.images.drop()
        if self._console is not None:
            self._console.stop()

    def after_fork(self) -> None:
        """In a forked child: the parent goes on with what it has begun. (The console is a source of the outbox.)"""
        self._is_child = True
        self.images.after_fork()
        if self._system is not None:
            self._system.after_fork()

    def close(self) -> None:
        """Nothing can be recorded any more."""
        if self._console is not None:
            self._console.stop()
        if self._system is not None:
            self._system.stop()

    def _wake(self) -> None:
        if self._is_child and not self._outbox.open:
            return  # a data loader's worker that prints needs no journal for that
        if self._outbox.signal:
            self._outbox.attend()

    def _open(self) -> None:
        if not self._outbox.open:
            self._outbox.attend()

    def _put_facts(self, fields: Mapping[str, Any]) -> None:
        if self._outbox.open:
            self._outbox.put(session_record(**fields))

    def _put_image(self, record: Record) -> None:
        journal, sha256 = self._outbox.journal, record["sha256"]
        if journal is not None and sha256 not in self._counted:
            self._counted[sha256] = None
            if len(self._counted) > COUNTED:
                self._counted.pop(next(iter(self._counted)))
            with contextlib.suppress(OSError):  # sent already
                journal.added_image((journal.paths.blobs / sha256).stat().st_size)
        self._outbox.put(record)

    def _blob_folder(self) -> Path | None:
        """Beside the journal, once it is open; None where there is none, or no room."""
        outbox, until = self._outbox, time.monotonic() + OPENING
        while not (outbox.open and outbox.journal) and not outbox.closed and time.monotonic() < until:
            if not outbox.open:
                outbox.attend()
            time.sleep(0.01)
        journal = outbox.journal
        if journal is None or outbox.closed or journal.size > outbox.bound:
            return None
        return journal.paths.blobs
