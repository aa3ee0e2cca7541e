"""Read a journal from the front, segment by segment, also while it is being written."""

from __future__ import annotations

import contextlib
import os
from io import FileIO
from pathlib import Path

from losswise.journal.format import Header
from losswise.journal.paths import Paths

PIECE_BYTES = 64 * 1024


class Incomplete(ValueError):
    """The segment's header is not whole: it is being written, or its writer died while doing so."""


class Damaged(ValueError):
    """A segment can be read, but its content makes no sense.

    Attributes:
        path: the segment.
    """

    def __init__(self, path: Path, problem: object) -> None:
        super().__init__(str(problem))
        self.path = path


class JournalReader:
    """The records of a journal, from the first segment that exists.

    Attributes:
        path, header: the current segment.
        number: number of the last record read.
        bytes_read: size of the records read so far.
        last_line: the last record read, or None.
    """

    header: Header
    _file: FileIO

    def __init__(self, path: Path) -> None:
        """Open the segment `path`.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not a journal.
        """
        self.paths = Paths(path)
        self.bytes_read = 0
        self.last_line: bytes | None = None
        self._finished: list[tuple[Path, int]] = []
        self._open(path, *_head(path))
        self.number = self.header.first - 1

    def _open(self, path: Path, header: Header, lines: list[bytes]) -> None:
        """Make this the current segment. If that raises, nothing has changed."""
        file = open(path, "rb", buffering=0)  # noqa: SIM115 - read on as the file grows
        # unbuffered: the writer truncates what a full disk took only half of, and a buffer would keep that half
        if hasattr(self, "_file"):
            self._file.close()
        self._file = file
        self.path, self.header = path, header
        self._next = self.paths.segment(header.segment + 1)
        self._preamble = [line[:-1] for line in lines[1:]]
        self._offset = self._start = sum(map(len, lines))

    def read(self, max_bytes: int) -> list[bytes]:
        """Read the next whole lines, going on to the next segment at the end of this one.

        Args:
            max_bytes: size of all lines together. One longer line is read whole.

        Returns:
            Lines without their ends, of one segment. Empty if no whole line is there yet.

        Raises:
            OSError: the file cannot be read now.
            Damaged: the next segment can be read, but its content makes no sense.
        """
        while True:
            if lines := self._read(max_bytes):
                return lines
            following = self._following()
            # nothing is added to a segment once the next one exists
            if following is None or (lines := self._read(max_bytes)):
                return lines
            finished, number = self.path, self.number
            try:
                self._go_on(following)
            except Incomplete as error:
                if self._is_last(following):  # being written, or its writer died while doing so
                    return []
                raise Damaged(following, error) from error
            except FileNotFoundError:
                if following.exists():
                    raise
                continue  # deleted in this moment
            self._finished.append((finished, number))
            self.number = self.header.first - 1

    def _go_on(self, following: Path) -> None:
        before = self.header
        header, lines = _head(following)
        if (header.session, header.writer) != (before.session, before.writer):
            raise Damaged(following, "its header belongs to another journal")
        self._open(following, header, lines)

    def _following(self) -> Path | None:
        """The next segment, or None. Missing ones were delivered by another process, or are in quarantine."""
        if self._next.exists():
            return self._next
        later = self._later()
        # look again: the writer may have created it meanwhile
        return self._next if self._next.exists() else next(iter(later), None)

    def _later(self) -> list[Path]:
        return [path for path in self.paths.segments() if path > self.path]

    def _is_last(self, path: Path) -> bool:
        return self.paths.segments()[-1:] in ([path], [])

    def is_at_end(self) -> bool:
        """Whether every whole record has been read. Only then may the journal be deleted."""
        try:
            return not self._has_line() and all(_is_begun(path) for path in self._later())
        except (OSError, ValueError):
            return False

    def _has_line(self) -> bool:
        """Whether a whole line follows in this segment."""
        self._file.seek(self._offset)
        while part := self._file.read(PIECE_BYTES):
            if b"\n" in part:
                return True
        return False

    def read_here(self, max_bytes: int) -> list[bytes]:
        """Like `read`, within this segment: the lines follow the previous ones without a gap in numbers."""
        return self._read(max_bytes)

    def _read(self, max_bytes: int) -> list[bytes]:
        self._file.seek(self._offset)
        data = self._file.read(max_bytes)
        end = data.rfind(b"\n") + 1
        while not end and len(data) >= max_bytes:
            more = self._file.read(max_bytes)
            if not more:
                break
            end = len(data) + more.find(b"\n") + 1 if b"\n" in more else 0
            data += more
            max_bytes = len(data)
        if not end:
            return []
        self._offset += end
        self.bytes_read += end
        lines = data[: end - 1].split(b"\n")
        self.number += len(lines)
        self.last_line = lines[-1]
        return lines

    def forget(self, acknowledged: int) -> int:
        """Delete the segments whose records are all acknowledged.

        Args:
            acknowledged: number of the last acknowledged record.

        Returns:
            Bytes freed.
        """
        freed = 0
        while self._finished and self._finished[0][1] <= acknowledged:
            path, _ = self._finished.pop(0)
            with contextlib.suppress(OSError):
                freed += path.stat().st_size
                path.unlink()
        return freed

    def torn(self) -> int:
        """Size in bytes of the incomplete line at the end, which a killed writer leaves."""
        size = os.fstat(self._file.fileno()).st_size
        self._file.seek(self._offset)
        rest = self._file.read(size - self._offset)
        return len(rest) - (rest.rfind(b"\n") + 1)

    def preamble(self) -> list[bytes]:
        """The session and graph records so far, for a server that does not know the session."""
        known = (b'{"type":"session"', b'{"type":"graph"')
        with open(self.path, "rb") as file:
            file.seek(self._start)
            return self._preamble + [line[:-1] for line in file if line.startswith(known) and line.endswith(b"\n")]

    def close(self) -> None:
        self._file.close()


def _head(path: Path) -> tuple[Header, list[bytes]]:
    """Read a segment's header, and the lines before its records."""
    with open(path, "rb") as file:
        lines = [file.readline()]
        if not lines[0].endswith(b"\n"):
            raise Incomplete("its header is incomplete")
        try:
            header = Header.parse(lines[0])
        except (ValueError, TypeError) as error:
            raise Damaged(path, error) from error
        lines += [file.readline() for _ in range(header.preamble)]
    if not lines[-1].endswith(b"\n"):
        raise Incomplete("its header is incomplete")
    return header, lines


def _is_begun(path: Path) -> bool:
    """Whether a segment's header is not whole yet."""
    try:
        _head(path)
    except Incomplete:
        return True
    return False
