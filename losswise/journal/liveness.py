"""Tell whether the process that writes a journal is still running."""

from __future__ import annotations

import contextlib
import socket
import time

from losswise.journal.format import Header
from losswise.journal.paths import Paths

# without a usable lock: how long after its last heartbeat, which comes each minute, a writer counts as dead
HEARTBEAT_TIMEOUT_S = 600.0


def is_alive(paths: Paths, header: Header) -> bool:
    """Whether the journal's writer is still running.

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
