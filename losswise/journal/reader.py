"""Read a journal from the front, segment by segment, also while it is being written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from losswise.journal.format import Header
from losswise.journal.paths import Paths

PIECE_BYTES = 64 * 1024


class Incomplete(ValueError):
    """The segment's header is not whole: it is being written, or its writer died while doing so."""


class Damaged(ValueError):
    """The segment `path` can be read, but its content makes no sense."""

    def __init__(self, path: Path, problem: object) -> None:
        super().__init__(str(problem))
        self.path = path


class JournalReader:
    """The records of a journal, from the first segment that exists.

    Attributes:
        path, header: the current segment.
        number: number of the last record read.
    """

    def __init__(self, path: Path) -> None:
        """Open a segment. Raises OSError if it cannot be read, ValueError if it is not a journal."""
        self.paths = Paths(path)
        self.last_line: bytes | None = None  # the last record read
        self._finished: list[tuple[Path, int]] = []  # segments read to their end, with their last records' numbers
        self._open(path, *_head(path))

    def _open(self, path: Path, header: Header, offset: int) -> None:
        """Make this the current segment. If that raises, nothing has changed."""
        # unbuffered: the writer truncates what a full disk took only half of, and a buffer would keep that half
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - read on as the file grows
        self.path, self.header, self._offset = path, header, offset
        self.number = header.first - 1

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
        while not (lines := self.read_here(max_bytes)):
            following = self._following()
            # nothing is added to a segment once the next one exists
            if following is None or (lines := self.read_here(max_bytes)):
                break
            before, finished = self._file, (self.path, self.number)
            try:
                header, offset = _head(following)
                if (header.session, header.writer) != (self.header.session, self.header.writer):
                    raise Damaged(following, "its header belongs to another journal")
                self._open(following, header, offset)
            except Incomplete as error:
                if self.paths.segments()[-1:] in ([following], []):  # being written, or its writer died doing so
                    break
                raise Damaged(following, error) from error
            except FileNotFoundError:
                if following.exists():
                    raise
                continue  # deleted in this moment
            before.close()
            self._finished.append(finished)
        return lines

    def _following(self) -> Path | None:
        """The next segment, or None. Missing ones were delivered by another process, or are in quarantine."""
        following = self.paths.segment(self.header.segment + 1)
        if following.exists():
            return following
        later = self._later()
        # look again: the writer may have created it meanwhile
        return following if following.exists() else next(iter(later), None)

    def _later(self) -> list[Path]:
        return [path for path in self.paths.segments() if path > self.path]

    def is_at_end(self) -> bool:
        """Return whether every whole record has been read. Only then may the journal be deleted."""
        try:
            self._file.seek(self._offset)
            while piece := self._file.read(PIECE_BYTES):
                if b"\n" in piece:
                    return False
            for path in self._later():
                with contextlib.suppress(Incomplete):
                    _head(path)
                    return False
            return True
        except (OSError, ValueError):
            return False

    def read_here(self, max_bytes: int) -> list[bytes]:
        """Like `read`, within this segment: the lines follow the previous ones without a gap in numbers."""
        self._file.seek(self._offset)
        data = self._file.read(max_bytes)
        while b"\n" not in data and (more := self._file.read(max_bytes)):
            line, end, _ = more.partition(b"\n")
            data += line + end
        size = data.rfind(b"\n") + 1
        if not size:
            return []
        self._offset += size
        lines = data[: size - 1].split(b"\n")
        self.number += len(lines)
        self.last_line = lines[-1]
        return lines

    def forget(self, acknowledged: int) -> int:
        """Delete the segments without a record after number `acknowledged`. Returns the bytes freed."""
        freed = 0
        while self._finished and self._finished[0][1] <= acknowledged:
            path, _ = self._finished.pop(0)
            with contextlib.suppress(OSError):
                freed += path.stat().st_size
                path.unlink()
        return freed

    def torn(self) -> int:
        """Size in bytes of the incomplete line at the end, which a killed writer leaves."""
        return os.fstat(self._file.fileno()).st_size - self._offset

    def preamble(self) -> list[bytes]:
        """The session and graph records so far, for a server that does not know the session."""
        known = (b'{"type":"session"', b'{"type":"graph"')
        with open(self.path, "rb") as file:
            return [line[:-1] for line in file if line.startswith(known) and line.endswith(b"\n")]

    def close(self) -> None:
        self._file.close()


def open_first(paths: Paths) -> tuple[JournalReader, list[Damaged]]:
    """Open the first segment of a journal that can be read.

    Returns:
        A reader, and what is wrong with the segments before that one.

    Raises:
        OSError, ValueError: as for the first segment, if none can be read. IndexError: there is no segment.
    """
    segments = paths.segments()
    damaged: list[Damaged] = []
    for path in segments:
        try:
            return JournalReader(path), damaged
        except Damaged as error:
            damaged.append(error)
        except Incomplete as error:
            if len(segments) == 1:  # it is being written
                raise
            damaged.append(Damaged(path, error))
    raise damaged[0] if damaged else IndexError("no segment is left")


def _head(path: Path) -> tuple[Header, int]:
    """Read a segment's header. Returns it, and the offset of the first record behind it and its preamble."""
    with open(path, "rb") as file:
        line = file.readline()
        if line.endswith(b"\n"):
            try:
                header = Header.parse(line)
            except (ValueError, TypeError) as error:
                raise Damaged(path, error) from error
            for _ in range(header.preamble):
                line = file.readline()
        if not line.endswith(b"\n"):
            raise Incomplete("its header is incomplete")
        return header, file.tell()
