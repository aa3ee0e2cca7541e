"""The journal: the file of a writer, one JSON record a line, only ever appended, in segments.

The first line of a segment is its header, which names the number of its first record. A few lines may follow
that are no records of their own: the session and its graphs so far, for a server that must be told again.
A segment whose records are all acknowledged is removed, so what lies on the disk is what is not delivered.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import shutil
import socket
import stat
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from io import FileIO
from pathlib import Path

from losswise.locks import FileLock
from losswise.plain import dumps
from losswise.records import FORMAT, Record, is_id, merged_session

SUFFIX = ".journal"
REFUSED = ".refused"
"""Of what is not sent: the server refuses it, or it is damaged."""
SEGMENT_BYTES = 32 * 1024 * 1024
"""A segment that has grown beyond this is followed by another."""
SEGMENTS = 4
"""So many make up the journal's bound at least: what is delivered is removed by whole segments."""
QUIET = 600.0
"""Seconds after which a writer on another host that has shown no life is taken for dead."""

_SEGMENT = re.compile(r"\.(\d{5,})\.journal$")


@dataclass(frozen=True)
class Header:
    """Whose journal it is, and which part of it. Never holds a key.

    Attributes:
        segment: 1 for the first file of a writer, 2 for the next, ...
        first: number of the first record in this file.
        preamble: lines after the header that are no records of their own.
    """

    session: str
    writer: str
    base_url: str
    host: str = ""
    boot: str = ""
    pid: int = 0
    created_at: float = 0.0
    segment: int = 1
    first: int = 1
    preamble: int = 0
    format: int = FORMAT

    @classmethod
    def of_this_process(cls, session: str, writer: str, base_url: str) -> Header:
        return cls(session, writer, base_url, socket.gethostname(), boot_id(), os.getpid(), time.time())

    @classmethod
    def parse(cls, line: bytes) -> Header:
        """Raises ValueError for a line that is no header of a format known here."""
        fields = json.loads(line)
        if not isinstance(fields, dict) or fields.pop("losswise", None) != "journal":
            raise ValueError("not a journal of losswise")
        if fields.get("format") != FORMAT:
            raise ValueError(f"written in format {fields.get('format')}, which this version does not know")
        if not is_id(fields.get("session")) or not is_id(fields.get("writer")):
            raise ValueError("its header names no session and writer")
        known = cls.__dataclass_fields__
        header = cls(**{name: value for name, value in fields.items() if name in known})
        if not all(type(number) is int for number in (header.first, header.preamble, header.segment)):
            raise ValueError("its header is damaged")
        return header

    def line(self) -> bytes:
        return json.dumps({"losswise": "journal", **asdict(self)}).encode() + b"\n"


class NotWritten(OSError):
    """The disk did not take all.

    Attributes:
        lines: how many it did take, from the front.
    """

    def __init__(self, lines: int, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.lines = lines


class Paths:
    """The files that belong to a writer, found from the path of any of its segments.

    Attributes:
        alive: the lock that says that the writer lives.
        sending: the lock of whoever sends the journal.
        refused: records that a server refused.
        blobs: folder of the bytes of images, by their hash.
    """

    def __init__(self, segment: Path) -> None:
        stem = _SEGMENT.sub("", segment.name)
        self.folder = segment.parent
        self.stem = stem if stem != segment.name else segment.name.removesuffix(SUFFIX)
        self.alive = FileLock(self.folder / f"{self.stem}.alive")
        self.sending = FileLock(self.folder / f"{self.stem}.sending")
        self.refused = self.folder / f"{self.stem}{REFUSED}"
        self.blobs = self.folder / f"{self.stem}.blobs"

    def segment(self, number: int) -> Path:
        return self.folder / f"{self.stem}.{number:05d}{SUFFIX}"

    def segments(self) -> list[Path]:
        """The files that are there, in order."""
        found = [path for path in self.folder.iterdir() if path.name.startswith(self.stem) and path.suffix == SUFFIX]
        return sorted(found, key=_place)

    def size(self) -> int:
        """Bytes of all that waits to be sent, images included."""
        files = [*self.segments(), *(self.blobs.iterdir() if self.blobs.is_dir() else ())]
        return sum(path.stat().st_size for path in files)

    def remove(self) -> None:
        """Take away what is delivered. Records that were refused stay."""
        shutil.rmtree(self.blobs, ignore_errors=True)  # first: they are found by way of the segments
        with contextlib.suppress(OSError):
            for path in self.segments():
                path.unlink()
        with contextlib.suppress(OSError):
            self.alive.path.unlink()


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
        self._written = 0  # bytes in all segments
        self._images = 0  # bytes beside them, counted by the thread that makes them
        self._removed = 0  # of both, counted by the sender
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
        return self._written + self._images - self._removed

    def added_image(self, size: int) -> None:
        """An image of so many bytes lies beside the journal now."""
        self._images += size

    def measure(self) -> None:
        """See how much is there: somebody else may have sent some of it."""
        with contextlib.suppress(OSError):
            self._removed = self._written + self._images - self.paths.size()

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


def find(folder: Path) -> list[Path]:
    """The first segment of each journal in a folder, oldest first."""
    first: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        for path in sorted((path for path in folder.iterdir() if path.suffix == SUFFIX), key=_place):
            first.setdefault(Paths(path).stem, path)
    return [first[stem] for stem in sorted(first)]


def lives(paths: Paths, header: Header) -> bool:
    """Whether the writer is still at work."""
    if paths.alive.is_held():
        return True
    if header.host != socket.gethostname():  # its locks may not reach us
        with contextlib.suppress(OSError):
            return time.time() - paths.alive.path.stat().st_mtime < QUIET
        return False
    if paths.alive.is_trusted or not paths.alive.path.exists():
        return False
    return header.boot in ("", boot_id()) and _runs(header.pid)


def _runs(pid: int) -> bool:
    if os.name == "nt":  # where os.kill sends something, whatever the number
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def boot_id() -> str:
    """Tells one start of this machine from another, where the system says so; else empty."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def _make_private(folder: Path) -> None:
    """Make the folder, for this user only.

    Raises:
        OSError: it cannot be made; or another user was faster, in a place where everybody may make folders.
    """
    for place in (folder.parent, folder):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_shared = folder.parent.parent.stat().st_mode & stat.S_ISVTX
    if is_shared and hasattr(os, "getuid") and folder.parent.stat().st_uid != os.getuid():
        raise PermissionError(errno.EACCES, "it belongs to another user")


def _place(path: Path) -> int:
    found = _SEGMENT.search(path.name)
    return int(found[1]) if found else 0


def _create(path: Path) -> FileIO:
    """A new file of this user's, unbuffered: what is written is with the system at once."""
    return open(path, "xb", buffering=0, opener=lambda name, flags: os.open(name, flags, 0o600))
