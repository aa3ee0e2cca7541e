"""The journal: the file of a writer, one JSON record a line, only ever appended, in segments.

The first line of a segment is its header, which names the number of its first record. A few lines may follow
that are no records of their own: the session and its graphs so far, for a server that must be told again.
A segment whose records are all acknowledged is removed, so what lies on the disk is what is not delivered.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from losswise.journal.format import Header
from losswise.journal.paths import SUFFIX, Paths, _create, _make_private
from losswise.protocol.records import Record, merged_session
from losswise.values.jsonable import dumps

SEGMENT_BYTES = 32 * 1024 * 1024
"""A segment that has grown beyond this is followed by another."""
SEGMENTS = 4
"""So many make up the journal's bound at least: what is delivered is removed by whole segments."""
MAX_REMEMBERED_IMAGES = 10_000


class NotWritten(OSError):
    """The disk did not take all.

    Attributes:
        lines: how many it did take, from the front.
    """

    def __init__(self, lines: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.lines = lines


class Journal:
    """A journal being written, by the journal thread only; `count`, `size` and `complete` may be read by others.

    Attributes:
        path: the segment that is written.
        count: records so far.
        complete: nothing will be added any more.
        unwritten: lines that the disk did not take at the very end; the sender may still send them.
    """

    def __init__(self, folder: Path, header: Header, sends: bool = False, bound: float = math.inf) -> None:
        """Make the folder and the first segment. With `sends`, nobody else sends it as long as this one lives.
        `bound` is how many bytes all segments may have; whoever appends keeps to it.

        Raises:
            OSError: it cannot be written.
        """
        _make_private(folder)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(header.created_at))
        self.path = folder / f"{stamp}-{header.session}-{header.writer}.{header.segment:05d}{SUFFIX}"
        self.paths = Paths(self.path)
        self.header = header
        self.count = 0
        self.complete = False
        self.unwritten: list[bytes] = []
        self._written = 0  # bytes in all segments and images
        self._removed = 0  # bytes of these that are deleted, counted by the sender
        self._images: dict[str, None] = {}  # hashes of the images written last
        self._session: Record = {}
        self._graphs: dict[str, Record] = {}
        self.paths.alive.acquire()
        if sends:
            self.paths.sending.acquire()
        self._bound = bound
        self._size = self._head = 0  # bytes of this segment, and of what stands in it before its records
        try:
            self._file = _create(self.path)
            self._write_head(header.line())
        except OSError:  # no room even for that
            self.paths.remove()
            self.paths.sending.release(remove=True)
            self.paths.alive.release(remove=True)
            raise

    @property
    def size(self) -> int:
        """Bytes on the disk that are not yet delivered."""
        return self._written - self._removed

    def add_image(self, sha256: str, data: bytes) -> None:
        """Write an image's bytes beside the journal: the whole file under its name, or none.

        The same bytes are written once, even if the sender has delivered and deleted them meanwhile.

        Raises:
            OSError: they cannot be written.
        """
        if sha256 in self._images:
            return
        folder = self.paths.blobs
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = folder / f"{sha256}.part"
        try:
            with open(part, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
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
        """See how much is there: somebody else may have sent some of it."""
        with contextlib.suppress(OSError):
            self._removed = self._written - self.paths.size()

    def forgotten(self, size: int) -> None:
        """The sender has removed so many bytes."""
        self._removed += size

    def note(self, record: Record) -> None:
        """Remember what a server that does not know the session must be told again."""
        if record["type"] == "session":
            self._session = merged_session(self._session, record)
        elif record["type"] == "graph":
            self._graphs[record["id"]] = record

    def append(self, lines: Sequence[bytes]) -> None:
        """Add whole lines.

        Raises:
            NotWritten: the disk does not take them, or not all.
        """
        if self._size - self._head > min(SEGMENT_BYTES, self._bound / SEGMENTS):
            with contextlib.suppress(OSError):  # a full disk: the old segment goes on
                self._rotate()
        data = b"".join(lines)
        try:
            self._write(data)
        except OSError as error:
            # whole lines stay, since a reader may have seen them
            whole = data[: self._partly].count(b"\n")
            self.count += whole
            raise NotWritten(whole, error) from error
        self.count += len(lines)

    def _rotate(self) -> None:
        known = [dumps(record).encode() + b"\n" for record in (self._session, *self._graphs.values()) if record]
        header = replace(self.header, segment=self.header.segment + 1, first=self.count + 1, preamble=len(known))
        path = self.paths.segment(header.segment)
        file = _create(path)
        before, self._file, size, self._size = self._file, file, self._size, 0
        try:
            self._write_head(header.line() + b"".join(known))
        except OSError:
            self._file, self._size = before, size
            file.close()
            path.unlink()
            raise
        self.header, self.path = header, path
        before.close()

    def _write_head(self, data: bytes) -> None:
        self._write(data)
        self._head = len(data)

    def _write(self, data: bytes) -> None:
        done = 0
        try:
            while done < len(data):
                done += self._file.write(memoryview(data)[done:])
        except OSError:
            done = data.rfind(b"\n", 0, done) + 1
            self._file.truncate(self._size + done)
            self._file.seek(self._size + done)
            raise
        finally:
            self._partly = done
            self._size += done
            self._written += done

    def breathe(self) -> None:
        """Show hosts that our locks do not reach that this writer lives."""
        with contextlib.suppress(OSError):
            os.utime(self.paths.alive.path)

    def finish(self) -> None:
        """Nothing is added from here on. The file stays until everything in it is acknowledged."""
        self.complete = True
        self._file.close()
        self.paths.alive.release(remove=True)

    def abandon(self) -> None:
        """In a forked child: let the parent's file alone, without a trace."""
        with contextlib.suppress(OSError):
            self._file.close()
        self.paths.alive.release()
        self.paths.sending.release()
