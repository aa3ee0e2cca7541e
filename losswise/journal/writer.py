"""Write a journal: one JSON record a line, append only, in segments.

The first line of a segment is its header, with the number of its first record. A preamble may follow: the session and
graph records so far, without numbers, to resend to a server that does not know the session. A segment is deleted once
all its records are acknowledged, so the disk holds only what is not delivered.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from losswise.journal.format import Header, record_line
from losswise.journal.paths import SUFFIX, Paths, make_private_folder
from losswise.protocol.records import Record, merged_session

SEGMENT_BYTES = 32 * 1024 * 1024  # the size from which on a new segment is begun
MIN_SEGMENTS = 4  # a full journal has at least this many, since space is freed by whole segments
MAX_REMEMBERED_IMAGES = 10_000


class NotWritten(OSError):
    """The disk took only the first `lines` lines."""

    def __init__(self, lines: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.lines = lines


class Journal:
    """A journal being written. Only one thread writes; others may read `count`, `size` and `complete`."""

    def __init__(self, folder: Path, header: Header, sends: bool = False, bound: float = math.inf) -> None:
        """Create the folder and the first segment.

        Args:
            sends: this process sends the journal too, so no other may (`Paths.sending`).
            bound: largest size of all segments, in bytes. The caller of `append` has to respect it.

        Raises:
            OSError: it cannot be written.
        """
        make_private_folder(folder)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(header.created_at))
        self.paths = Paths(folder / f"{stamp}-{header.session}-{header.writer}{SUFFIX}")
        self.count = 0  # records so far
        self.complete = False  # no more records will follow
        self.unwritten: list[bytes] = []  # last lines that the disk did not take; the sender can still send them
        self._written = 0  # bytes in all segments and images
        self.removed = 0  # bytes of these that are deleted, counted by the sender
        self._images: dict[str, None] = {}  # hashes of the images written last
        self._session: Record = {}
        self._graphs: dict[str, Record] = {}
        self.paths.alive.acquire()
        if sends:
            self.paths.sending.acquire()
        self._segment_bytes = min(SEGMENT_BYTES, bound / MIN_SEGMENTS)
        try:
            self._begin_segment(header)
        except OSError:  # no space left even for the header
            self.paths.sending.release(remove=True)
            self.paths.alive.release(remove=True)
            raise

    @property
    def size(self) -> int:
        """Size of what is not delivered yet, in bytes: segments and images."""
        return self._written - self.removed

    def add_image(self, sha256: str, data: bytes) -> None:
        """Write an image's bytes beside the journal: the whole file under its name, or none and an OSError.

        The same bytes are written once, even if the sender has delivered and deleted them meanwhile.
        """
        if sha256 in self._images:
            return
        folder = self.paths.blobs
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = folder / f"{sha256}.part"
        try:
            with open(part, "wb", opener=_open_private) as file:
                file.write(data)
            os.replace(part, folder / sha256)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        self._written += len(data)
        self._images[sha256] = None
        if len(self._images) > MAX_REMEMBERED_IMAGES:
            del self._images[next(iter(self._images))]

    def measure(self) -> None:
        """Measure what is on disk, since another process may have delivered some of it."""
        with contextlib.suppress(OSError):
            self.removed = self._written - self.paths.size()

    def note(self, record: Record) -> None:
        """Remember session and graph records for the preamble of later segments."""
        if record["type"] == "session":
            self._session = merged_session(self._session, record)
        elif record["type"] == "graph":
            self._graphs[record["id"]] = record

    def append(self, lines: Sequence[bytes]) -> None:
        """Append whole lines. Raises NotWritten if the disk does not take all of them."""
        if self._size - self._head > self._segment_bytes:
            known = [record_line(record) for record in (self._session, *self._graphs.values()) if record]
            header = replace(self.header, segment=self.header.segment + 1, first=self.count + 1, preamble=len(known))
            before = self._file
            with contextlib.suppress(OSError):  # a full disk: go on with this segment
                self._begin_segment(header, b"".join(known))
                before.close()
        data, done = b"".join(lines), 0
        try:
            while done < len(data):
                done += self._file.write(memoryview(data)[done:])
        except OSError as error:
            # whole lines stay: a reader may have seen them already
            done = data.rfind(b"\n", 0, done) + 1
            with contextlib.suppress(OSError):
                self._file.truncate(self._size + done)
                self._file.seek(self._size + done)
            raise NotWritten(data.count(b"\n", 0, done), error) from error
        finally:
            self._size += done
            self._written += done
            self.count += data.count(b"\n", 0, done)

    def _begin_segment(self, header: Header, preamble: bytes = b"") -> None:
        """Create a segment and make it the current one. If that raises, nothing has changed."""
        path, head = self.paths.segment(header.segment), header.line() + preamble
        # unbuffered, so that what is written survives a kill
        file = open(path, "xb", buffering=0, opener=_open_private)  # noqa: SIM115 - the journal closes it
        try:
            if file.write(head) < len(head):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.close()
            path.unlink()
            raise
        self.header, self.path, self._file = header, path, file
        self._size = self._head = len(head)  # bytes of this segment, and of its header and preamble
        self._written += len(head)

    def heartbeat(self) -> None:
        """Touch the lock file, for processes that cannot see the lock itself (see `paths.is_alive`)."""
        with contextlib.suppress(OSError):
            os.utime(self.paths.alive.path)

    def finish(self) -> None:
        """Close the journal. Its files stay until everything in them is acknowledged."""
        self.complete = True
        self._file.close()
        self.paths.alive.release(remove=True)

    def abandon(self) -> None:
        """Close the parent's journal in a forked child, and change nothing about it."""
        with contextlib.suppress(OSError):
            self._file.close()
        self.paths.alive.release()
        self.paths.sending.release()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
