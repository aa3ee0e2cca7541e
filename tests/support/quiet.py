"""Ends what the sessions of a test left at work in this process, so that it says nothing in the next one."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import Any

PATIENCE = 5.0
"""Seconds for all threads together."""
SPEAKING = ("losswise-sender", "losswise-journal", "losswise-system", "losswise-facts", "losswise-cells")


def end_sessions() -> None:
    """End all sessions without sending what is left, and wait for their threads."""
    open_sessions = sys.modules.get("losswise.lifecycle.open_sessions")
    if open_sessions is None:
        return
    from losswise.lifecycle.outcome import INTERRUPTED

    for session in open_sessions._reset_for_tests():
        with contextlib.suppress(Exception):
            session.end(INTERRUPTED, time.monotonic(), 0.0)
    until = time.monotonic() + PATIENCE
    left = [thread for thread in threading.enumerate() if thread.name in SPEAKING]
    while left and time.monotonic() < until:
        for thread in left:
            if thread.name == "losswise-sender":
                _stop(thread)
        left[0].join(0.02)
        left = [thread for thread in left if thread.is_alive()]


def _stop(thread: Any) -> None:
    with contextlib.suppress(AttributeError):  # it has just ended
        sender = thread._target.__wrapped__.__self__
        sender._is_woken = sender._client.post_batch = sender._client.put_blob = _leave
        sender.nudge(at_once=True)


def _leave(*arguments: Any, **named: Any) -> Any:
    raise Left


class Left(Exception):
    """The test that this sender belongs to is over."""
