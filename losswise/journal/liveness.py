"""Tell whether the process that writes a journal is still running."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from losswise.journal.format import Header, boot_id
from losswise.journal.paths import Paths

QUIET = 600.0
"""Seconds after which a writer on another host that has shown no life is taken for dead."""


def lives(paths: Paths, header: Header) -> bool:
    """Whether the writer is still at work."""
    if paths.alive.is_held():
        return True
    if header.host != socket.gethostname():  # its locks may not reach us
        with contextlib.suppress(OSError):
            return time.time() - paths.alive.path.stat().st_mtime < QUIET
        return False
    if paths.alive.is_trusted or not paths.alive.path.exists():
        return False
    return header.boot in ("", boot_id()) and _runs(header.pid)


def _runs(pid: int) -> bool:
    if os.name == "nt":  # where os.kill sends something, whatever the number
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
