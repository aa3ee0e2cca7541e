"""Names and locations of a journal's files."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
from io import FileIO
from pathlib import Path

from losswise.util.locks import FileLock

SUFFIX = ".journal"
REFUSED = ".refused"
"""Of what is not sent: the server refuses it, or it is damaged."""

_SEGMENT = re.compile(r"\.(\d{5,})\.journal$")


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


def find(folder: Path) -> list[Path]:
    """The first segment of each journal in a folder, oldest first."""
    first: dict[str, Path] = {}
    with contextlib.suppress(OSError):
        for path in sorted((path for path in folder.iterdir() if path.suffix == SUFFIX), key=_place):
            first.setdefault(Paths(path).stem, path)
    return [first[stem] for stem in sorted(first)]


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
