"""The journal: one file a writer, one JSON record a line, only ever appended.

The first line is the header; the record in the line after it has number 1, and so on. What is not
acknowledged by a server stands in here, whatever happens to the network or to this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from losswise.locks import FileLock
from losswise.records import FORMAT, is_id

SUFFIX = ".journal"


@dataclass(frozen=True)
class Header:
    """Whose journal it is. Never holds a key."""

    session: str
    writer: str
    base_url: str
    host: str = ""
    boot: str = ""
    pid: int = 0
    created_at: float = 0.0
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
        return cls(**{name: value for name, value in fields.items() if name in known})

    def line(self) -> bytes:
        return json.dumps({"losswise": "journal", **asdict(self)}).encode() + b"\n"


class Paths:
    """The files that belong to a journal."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.alive = FileLock(journal.with_suffix(".alive"))
        self.sending = FileLock(journal.with_suffix(".sending"))
        self.refused = journal.with_suffix(".refused")


class Journal:
    """A journal being written. Used by the journal thread only, but for `count` and `size`.

    Attributes:
        count: records in the file.
        size: bytes in the file.
        complete: nothing will be added any more.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(header.created_at))
        self.path = folder / f"{stamp}-{header.session}-{header.writer}{SUFFIX}"
        self.header = header
        self.paths = Paths(self.path)
        self.paths.alive.acquire()
        self._file = open(  # noqa: SIM115 - open as long as the writer lives
            self.path, "xb", buffering=0, opener=lambda path, flags: os.open(path, flags, 0o600)
        )
        self.count = 0
        self.size = 0
        self.complete = False
        self._write(header.line())

    def append(self, lines: list[bytes]) -> None:
        """Add whole lines. Raises OSError, with the file as it was, where the disk does not take them."""
        self._write(b"".join(lines))
        self.count += len(lines)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError:
            self._file.truncate(self.size)
            self._file.seek(self.size)
            raise
        self.size += len(data)

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


class Reader:
    """Reads a journal's records from the front, also while it is written."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where it cannot be read, ValueError where it is no journal."""
        self.path = path
        with open(path, "rb") as file:
            line = file.readline()
        if not line.endswith(b"\n"):
            raise ValueError("its header is not complete")
        self.header = Header.parse(line)
        self._offset = self._start = len(line)
        self.number = 0
        # unbuffered: a write that the disk took half of is taken back, and a buffer would keep that half
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - read on as the file grows

    def read(self, most_bytes: int) -> list[bytes]:
        """The next whole lines, of about this size together; at least one where there is one."""
        self._file.seek(self._offset)
        data = self._file.read(most_bytes)
        end = data.rfind(b"\n") + 1
        while not end and len(data) >= most_bytes:
            more = self._file.read(most_bytes)
            if not more:
                break
            end = len(data) + more.find(b"\n") + 1 if b"\n" in more else 0
            data += more
            most_bytes = len(data)
        if not end:
            return []
        self._offset += end
        lines = data[: end - 1].split(b"\n")
        self.number += len(lines)
        return lines

    def torn(self) -> int:
        """Bytes behind the last whole line: what a killed writer left half-written."""
        position = self._offset
        size = os.fstat(self._file.fileno()).st_size
        self._file.seek(position)
        rest = self._file.read(size - position)
        return len(rest) - (rest.rfind(b"\n") + 1)

    def opening(self) -> list[bytes]:
        """The session and graph records so far: what a server that does not know the session is told."""
        known = (b'{"type":"session"', b'{"type":"graph"')
        with open(self.path, "rb") as file:
            file.seek(self._start)
            return [line[:-1] for line in file if line.startswith(known) and line.endswith(b"\n")]

    def close(self) -> None:
        self._file.close()


def boot_id() -> str:
    """Tells one start of this machine from another, where the system says so; else empty."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
