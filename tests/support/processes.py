"""A server's worker processes, and their sudden end."""

from __future__ import annotations

import os
import signal

import psutil

from tests.support.server import Server, eventually


def workers(server: Server) -> list[int]:
    """The process ids of the server's workers."""
    assert server.process is not None
    return [child.pid for child in psutil.Process(server.process.pid).children()]


def kill_with_workers(server: Server) -> None:
    """As when the machine fails: the main process and the workers at once."""
    assert server.process is not None
    found = workers(server)
    server.kill()
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: all(map(_is_gone, found)))


def _is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # ended, and no process has asked how
    except psutil.NoSuchProcess:
        return True
