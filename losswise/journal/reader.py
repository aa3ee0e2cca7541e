"""Reads a journal from the front, segment by segment, also while it is written."""

from __future__ import annotations

import contextlib
import os
from io import FileIO
from pathlib import Path

from losswise.journal.format import Header
from losswise.journal.paths import Paths


class Incomplete(ValueError):
    """The file is just being made, or its writer died over it: there is nothing in it yet."""


class Damaged(ValueError):
    """A segment in the middle cannot be understood, though it can be read.

    Attributes:
        path: of the segment.
    """

    def __init__(self, path: Path, problem: object) -> None:
        super().__init__(str(problem))
        self.path = path


class Reader:
    """The records of a journal, from the first segment that is there.

    Attributes:
        header: of the segment that is read.
        number: of the last record that was read.
        done: bytes of the records that were read.
        last: the last of them; None before the first.
    """

    header: Header
    _file: FileIO

    def __init__(self, path: Path) -> None:
        """Raises OSError where it cannot be read, ValueError where it is no journal."""
        self.paths = Paths(path)
        self.done = 0
        self.last: bytes | None = None
        self._passed: list[tuple[Path, int]] = []
        self._open(path, *_head(path))
        self.number = self.header.first - 1

    def _open(self, path: Path, header: Header, lines: list[bytes]) -> None:
        """Read on in this segment. Where that raises, everything is as it was."""
        file = open(path, "rb", buffering=0)  # noqa: SIM115 - read on as the file grows
        # unbuffered: a write that the disk took half of is taken back, and a buffer would keep that half
        if hasattr(self, "_file"):
            self._file.close()
        self._file = file
        self.path, self.header = path, header
        self._next = self.paths.segment(header.segment + 1)
        self._preamble = [line[:-1] for line in lines[1:]]
        self._offset = self._start = sum(map(len, lines))

    def read(self, most_bytes: int) -> list[bytes]:
        """The next whole lines, of about this size together; at least one where there is one.

        Raises:
            OSError: it cannot be read now.
            Damaged: the next segment can be read, but not understood.
        """
        while True:
            if lines := self._read(most_bytes):
                return lines
            following = self._following()
            # once there is one, nothing more comes into this one
            if following is None or (lines := self._read(most_bytes)):
                return lines
            passed, number = self.path, self.number
            try:
                self._go_on(following)
            except Incomplete as error:
                if self._is_last(following):  # it is just being made, or its writer died over it
                    return []
                raise Damaged(following, error) from error
            except FileNotFoundError:
                if following.exists():
                    raise
                continue  # taken away in this moment
            self._passed.append((passed, number))
            self.number = self.header.first - 1

    def _go_on(self, following: Path) -> None:
        before = self.header
        header, lines = _head(following)
        if (header.session, header.writer) != (before.session, before.writer):
            raise Damaged(following, "its header is another journal's")
        self._open(following, header, lines)

    def _following(self) -> Path | None:
        """The next segment. One that is gone was delivered by somebody else, or set aside."""
        if self._next.exists():
            return self._next
        later = self._later()
        # looked for again: its writer may have made it meanwhile
        return self._next if self._next.exists() else next(iter(later), None)

    def _later(self) -> list[Path]:
        return [path for path in self.paths.segments() if path > self.path]

    def _is_last(self, path: Path) -> bool:
        return self.paths.segments()[-1:] in ([path], [])

    def is_at_end(self) -> bool:
        """Whether all that stands there was read. Nothing may be taken away before."""
        try:
            rest = os.fstat(self._file.fileno()).st_size - self._offset
            return rest == self.torn() and all(_is_begun(path) for path in self._later())
        except (OSError, ValueError):
            return False

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
        self.last = lines[-1]
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


def _head(path: Path) -> tuple[Header, list[bytes]]:
    """A segment's header, and the lines before its records."""
    with open(path, "rb") as file:
        lines = [file.readline()]
        if not lines[0].endswith(b"\n"):
            raise Incomplete("its header is not complete")
        try:
            header = Header.parse(lines[0])
        except (ValueError, TypeError) as error:
            raise Damaged(path, error) from error
        lines += [file.readline() for _ in range(header.preamble)]
    if not lines[-1].endswith(b"\n"):
        raise Incomplete("its header is not complete")
    return header, lines


def _is_begun(path: Path) -> bool:
    """Whether nothing stands in a segment yet."""
    try:
        _head(path)
    except Incomplete:
        return True
    return False
