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

    Attributes:
        is_trusted: the file system keeps locks. One that does not must keep nobody from recording, so there
            everybody gets it.

    Example:
        >>> lock = FileLock(Path("run.lock"))
        >>> if lock.acquire():
        ...     lock.release(remove=True)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_trusted = True
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting. False: somebody else has it.

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
            if _is_at(descriptor, self.path):
                break
            os.close(descriptor)  # its holder took it away between our two steps
        else:
            return False
        _held.add(key)
        self._descriptor = descriptor
        return True

    def release(self, remove: bool = False) -> None:
        """Let the lock go, and with `remove` take its file away."""
        if self._descriptor is None:
            return
        if remove and os.name != "nt":  # first, so that nobody takes a lock that is about to go
            self._unlink()
        with contextlib.suppress(OSError):
            os.close(self._descriptor)
        if remove and os.name == "nt":  # Windows removes no file that is open
            self._unlink()
        self._descriptor = None
        _held.discard(os.path.abspath(self.path))

    def _unlink(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.path)

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


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the file that is open is the one that the path names now."""
    try:
        opened, named = os.fstat(descriptor), os.stat(path)
    except OSError:
        return False
    return (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)


def _lock(descriptor: int) -> bool | None:
    """True: taken. False: somebody else has it. None: this file system knows no locks."""
    try:
        if fcntl is not None:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif msvcrt is not None:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            return None
    except OSError as error:
        return False if error.errno in _REFUSED else None
    return True


_REFUSED = {11, 13, 35, 36}  # EAGAIN and EACCES of Linux, macOS and Windows, EDEADLOCK of Windows
