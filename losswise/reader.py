"""Reads a journal from the front, segment by segment, also while it is written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from losswise.journal import Header, Paths


class Incomplete(ValueError):
    """The file is just being made, or its writer died over it: there is nothing in it yet."""


class Reader:
    """The records of a journal, from the first segment that is there.

    Attributes:
        header: of the segment that is read.
        number: of the last record that was read.
        done: bytes of the records that were read.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError where it cannot be read, ValueError where it is no journal."""
        self.paths = Paths(path)
        self.done = 0
        self._passed: list[tuple[Path, int]] = []
        self._open(path)
        self.number = self.header.first - 1

    def _open(self, path: Path) -> None:
        with open(path, "rb") as file:
            lines = [file.readline()]
            if not lines[0].endswith(b"\n"):
                raise Incomplete("its header is not complete")
            header = Header.parse(lines[0])
            lines += [file.readline() for _ in range(header.preamble)]
        if not lines[-1].endswith(b"\n"):
            raise Incomplete("its header is not complete")
        self.path, self.header = path, header
        self._next = self.paths.segment(header.segment + 1)
        self._preamble = [line[:-1] for line in lines[1:]]
        self._offset = self._start = sum(map(len, lines))
        # unbuffered: a write that the disk took half of is taken back, and a buffer would keep that half
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - read on as the file grows

    def read(self, most_bytes: int) -> list[bytes]:
        """The next whole lines, of about this size together; at least one where there is one."""
        while True:
            if lines := self._read(most_bytes):
                return lines
            following = self._following()
            # once there is one, nothing more comes into this one
            if following is None or (lines := self._read(most_bytes)):
                return lines
            passed, number = self.path, self.number
            self._file.close()
            try:
                self._open(following)
            except (OSError, ValueError):  # it is just being made, or its writer died over it, or the disk is full
                self._file = open(passed, "rb", buffering=0)  # noqa: SIM115
                return []
            self._passed.append((passed, number))
            self.number = self.header.first - 1

    def _following(self) -> Path | None:
        """The next segment. One that is gone was delivered by somebody else."""
        if self._next.exists():
            return self._next
        if self.path.exists():
            return None
        return next((path for path in self.paths.segments() if path > self.path), None)

    def read_here(self, most_bytes: int) -> list[bytes]:
        """`read`, but not beyond this segment: the lines follow those before them without a gap."""
        return self._read(most_bytes)

    def _read(self, most_bytes: int) -> list[bytes]:
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
        self.done += end
        lines = data[: end - 1].split(b"\n")
        self.number += len(lines)
        return lines

    def forget(self, acknowledged: int) -> int:
        """Remove the segments that were read and hold nothing after this record; the bytes that this frees."""
        freed = 0
        while self._passed and self._passed[0][1] <= acknowledged:
            path, _ = self._passed.pop(0)
            with contextlib.suppress(OSError):
                freed += path.stat().st_size
                path.unlink()
        return freed

    def size(self) -> int:
        """Bytes of records and headers in this segment and those that follow, as they stand now."""
        with contextlib.suppress(OSError):
            return sum(path.stat().st_size for path in self.paths.segments())
        return 0

    def torn(self) -> int:
        """Bytes behind the last whole line: what a killed writer left half-written."""
        size = os.fstat(self._file.fileno()).st_size
        self._file.seek(self._offset)
        rest = self._file.read(size - self._offset)
        return len(rest) - (rest.rfind(b"\n") + 1)

    def opening(self) -> list[bytes]:
        """The session and graph records so far: what a server that does not know the session is told."""
        known = (b'{"type":"session"', b'{"type":"graph"')
        with open(self.path, "rb") as file:
            file.seek(self._start)
            return self._preamble + [line[:-1] for line in file if line.startswith(known) and line.endswith(b"\n")]

    def close(self) -> None:
        self._file.close()
