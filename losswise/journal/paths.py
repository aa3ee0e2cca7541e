"""Names, locations and locks of a journal's files."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import re
import shutil
import socket
import stat
import time
from pathlib import Path

from losswise.journal.format import Header
from losswise.util.locks import FileLock

SUFFIX = ".journal"
REFUSED_SUFFIX = ".refused"  # of files in quarantine: what the server rejected, and damaged segments
# without a usable lock: how long after its last heartbeat, which comes each minute, a writer counts as dead
HEARTBEAT_TIMEOUT_S = 600.0
_SEGMENT = re.compile(r"(?:\.(\d{5,}))?\.journal$")


class Paths:
    """The files of one writer, found from the path of any of its segments."""

    def __init__(self, segment: Path) -> None:
        self.folder = segment.parent
        self.stem = _SEGMENT.sub("", segment.name)
        self.alive = FileLock(self.folder / f"{self.stem}.alive")  # held by the writer while it lives
        self.sending = FileLock(self.folder / f"{self.stem}.sending")  # held by the process that sends the journal
        self.refused = self.folder / f"{self.stem}{REFUSED_SUFFIX}"  # records that the server rejected
        self.blobs = self.folder / f"{self.stem}.blobs"  # image files, each named by its SHA-256

    def refused_image(self, sha256: str) -> Path:
        """The path of an image that the server rejected. It begins with the image's SHA-256."""
        return self.folder / f"{self.stem}.{sha256[:12]}{REFUSED_SUFFIX}"

    def segment(self, number: int) -> Path:
        """The path of a segment, which may not exist."""
        return self.folder / f"{self.stem}.{number:05d}{SUFFIX}"

    def segments(self) -> list[Path]:
        """The segments that exist, in order."""
        found = [path for path in self.folder.iterdir() if path.name.startswith(self.stem) and path.suffix == SUFFIX]
        return sorted(found, key=_segment_number)

    def size(self) -> int:
        """Total size of segments and images, in bytes."""
        files = [*self.segments(), *(self.blobs.iterdir() if self.blobs.is_dir() else ())]
        return sum(path.stat().st_size for path in files)

    def remove(self) -> None:
        """Delete the journal once it is delivered. Files in quarantine stay."""
        shutil.rmtree(self.blobs, ignore_errors=True)  # first: images are found by way of the segments
        with contextlib.suppress(OSError):
            for path in self.segments():
                path.unlink()
        with contextlib.suppress(OSError):
            self.alive.path.unlink()


def find(folder: Path) -> list[Path]:
    """The first segment of each journal in a folder, oldest journal first."""
    segments = map(folder.joinpath, glob.glob(f"*{SUFFIX}", root_dir=folder))
    first = {Paths(path).stem: path for path in sorted(segments, key=_segment_number, reverse=True)}
    return [first[stem] for stem in sorted(first)]


def is_alive(paths: Paths, header: Header) -> bool:
    """Return whether the journal's writer is still running.

    The writer holds the lock `paths.alive`, which decides where it is reliable. On other hosts, and on file systems
    without locks, the time of the lock file's last change does: the writer touches it (`Journal.heartbeat`).
    """
    if paths.alive.is_held():
        return True
    if paths.alive.is_trusted and header.host == socket.gethostname():
        return False
    with contextlib.suppress(OSError):
        return time.time() - paths.alive.path.stat().st_mtime < HEARTBEAT_TIMEOUT_S
    return False


def make_private_folder(folder: Path) -> None:
    """Create a folder that only this user can read, and its parent.

    Raises:
        OSError: it cannot be created, or its parent lies in a shared folder such as /tmp and belongs to another user.
    """
    for path in (folder.parent, folder):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_shared = folder.parent.parent.stat().st_mode & stat.S_ISVTX
    if is_shared and hasattr(os, "getuid") and folder.parent.stat().st_uid != os.getuid():
        raise PermissionError(errno.EACCES, "it belongs to another user")


def _segment_number(path: Path) -> int:
    found = _SEGMENT.search(path.name)
    return int(found[1] or 0) if found is not None else 0
