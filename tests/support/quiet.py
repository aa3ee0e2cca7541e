"""Ends what the sessions of a test left running in this process, so that it prints nothing in the next test."""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time

TIMEOUT_S = 5.0
# threads that may print a message
SPEAKING = ("losswise-sender", "losswise-journal", "losswise-system", "losswise-environment", "losswise-cells")


def end_sessions() -> None:
    """End all sessions without sending what is left, and wait for their threads, 5 s for all together."""
    if "losswise.lifecycle.open_sessions" not in sys.modules:
        return
    from losswise.delivery.sender import Sender
    from losswise.lifecycle import open_sessions
    from losswise.lifecycle.outcome import INTERRUPTED

    sessions = list(open_sessions._state.sessions)
    open_sessions._state.sessions.clear()
    open_sessions._state.forget_signals()
    for session in sessions:
        with contextlib.suppress(Exception):
            session.end(INTERRUPTED, time.monotonic(), 0.0)
    until = time.monotonic() + TIMEOUT_S
    senders: list[Sender] = []
    while left := [thread for thread in threading.enumerate() if thread.name in SPEAKING]:
        if time.monotonic() > until:
            return
        senders = senders or [found for found in gc.get_objects() if type(found) is Sender]
        for sender in senders:
            sender.stopped = True
            sender.nudge(at_once=True)
        left[0].join(0.02)
