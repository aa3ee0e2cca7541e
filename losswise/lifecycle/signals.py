"""SIGTERM: end the open sessions as cancelled, then let the process end as it would have."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any

from losswise.lifecycle import open_sessions


def install() -> bool:
    """Handle SIGTERM, unless the script ignores it. Returns False outside the main thread, where Python allows none."""
    if threading.current_thread() is not threading.main_thread():
        return False
    with contextlib.suppress(ValueError, OSError):
        before = signal.getsignal(signal.SIGTERM)
        if before is not None and before is not signal.SIG_IGN:  # None: a C library has set a handler
            signal.signal(signal.SIGTERM, lambda number, frame: _on_sigterm(number, frame, before))
    return True


def _on_sigterm(number: int, frame: FrameType | None, before: Any) -> None:
    # everything happens inside the handler, see docs/adr/0009-exit-status-and-sigterm.md
    open_sessions.end_on_sigterm(is_exiting=not callable(before))
    if callable(before):
        before(number, frame)
        return
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)  # so that the parent sees a process that was ended by SIGTERM
