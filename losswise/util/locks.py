"""File locks between processes. The operating system releases them when their process dies.

On POSIX these are record locks: a forked child does not inherit them, and network file systems support them. They do
not exclude other users of the file in the same process, so this module also keeps a list of the locks it holds.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_held: set[str] = set()


class FileLock:
    """A lock that at most one holder has at a time.

    Attributes:
        is_trusted: False if the file system does not support locks. Then every caller gets the lock, so that the
            file system keeps no session from recording.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_trusted = True
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting. False if another holder has it.

        Raises:
            OSError: the file cannot be opened.
        """
        key = os.path.abspath(self.path)
        if key in _held:
            return False
        for _ in range(10):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            answer = _lock(descriptor)
            self.is_trusted = answer is not None
            if answer is False:
                os.close(descriptor)
                return False
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), os.stat(self.path)):
                    _held.add(key)
                    self._descriptor = descriptor
                    return True
            os.close(descriptor)  # the holder removed the file between open and lock
        return False

    def release(self, remove: bool = False) -> None:
        """Release the lock. With `remove`, delete its file too."""
        if self._descriptor is None:
            return
        # delete before closing, so that no other process locks a file about to be deleted
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        if remove and sys.platform == "win32":  # which cannot delete an open file
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self._descriptor = None
        _held.discard(os.path.abspath(self.path))

    def is_held(self) -> bool:
        """Return whether any process holds the lock, this one included. Does not create the file."""
        if os.path.abspath(self.path) in _held:
            return True
        with contextlib.suppress(OSError):
            if self.path.exists():
                is_free = self.acquire()
                self.release()
                return not is_free
        return False


def forget_held() -> None:
    """Forget the locks of the parent, in a forked child, which does not hold them."""
    _held.clear()


def _lock(descriptor: int) -> bool | None:
    """True if the lock was taken, False if another process has it, None if the file system does not support locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # EAGAIN and EACCES of Linux, macOS and Windows, EDEADLOCK of Windows
        return False if error.errno in (11, 13, 35, 36) else None
    return True
