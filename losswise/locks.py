"""Locks between processes: held while a file is open, let go by the system when the process dies.

POSIX record locks are used where there are any: a forked child does not share them, and a network file
system carries them. They do not keep the same process out, so this module also remembers what it holds.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

fcntl: Any
msvcrt: Any
try:
    import fcntl
except ImportError:
    fcntl = None
try:
    import msvcrt
except ImportError:
    msvcrt = None

_held: set[str] = set()


class FileLock:
    """A lock that at most one holder has at a time.

    Example:
        >>> lock = FileLock(Path("run.lock"))
        >>> if lock.acquire():
        ...     lock.release(remove=True)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting. False: somebody else has it.

        Raises:
            OSError: the file cannot be opened.
        """
        key = os.path.abspath(self.path)
        if key in _held:
            return False
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(descriptor):
            os.close(descriptor)
            return False
        _held.add(key)
        self._descriptor = descriptor
        return True

    def release(self, remove: bool = False) -> None:
        """Let the lock go, and with `remove` take its file away."""
        if self._descriptor is None:
            return
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        self._descriptor = None
        _held.discard(os.path.abspath(self.path))

    def is_held(self) -> bool:
        """Whether somebody has it, this process included. Does not create the file."""
        if os.path.abspath(self.path) in _held:
            return True
        if not self.path.exists():
            return False
        try:
            if not self.acquire():
                return True
        except OSError:
            return False
        self.release()
        return False


def forget_held() -> None:
    """In a forked child: what the parent holds is not ours, and no hindrance that we see ourselves."""
    _held.clear()


def _lock(descriptor: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    except OSError as error:
        # a file system without locks must not keep anybody from recording
        return error.errno not in _REFUSED
    return True


_REFUSED = {11, 13, 35, 36}  # EAGAIN and EACCES of Linux, macOS and Windows, EDEADLOCK of Windows
