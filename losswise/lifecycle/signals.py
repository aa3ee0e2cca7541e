"""SIGTERM: end the open sessions as cancelled, without getting in the way of anybody else who handles it.

    nobody handles it             the sessions are ended here; then the process ends by SIGTERM, as it would have
    the script or a framework     their handler runs as without losswise; only the time of the signal is noted
    it is ignored                 it stays ignored

Handlers look for each other. Lightning leaves SIGTERM alone if `signal.getsignal` says that it is handled, and with it
the emergency checkpoint of a training. A handler often calls the one that `signal.signal` returned when it was set. So
these two functions are wrapped: they tell what would be there without losswise. See
docs/adr/0009-exit-status-and-sigterm.md.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from losswise import settings
from losswise.lifecycle import open_sessions, termination


def install() -> bool:
    """Handle SIGTERM from now on. Returns False outside the main thread, where Python allows no handlers."""
    if threading.current_thread() is not threading.main_thread():
        return False
    with contextlib.suppress(ValueError, OSError):
        before = signal.getsignal(signal.SIGTERM)
        if settings.handles_sigterm() and before is not None:  # None: a C library handles it
            _wrap_module()
            signal.signal(signal.SIGTERM, before)
    return True


def _wrap_module() -> None:
    """Wrap signal.signal and signal.getsignal, so that they show SIGTERM's handler as it would be without losswise."""
    set_handler: Callable[..., Any] = signal.signal
    get_handler: Callable[..., Any] = signal.getsignal
    shown: Any = signal.SIG_DFL  # what the script has set, and is told
    ours: Any = None  # what is set in its place

    def end_sessions(number: int, frame: FrameType | None) -> None:
        termination.note()
        if get_handler(number) is not end_sessions:
            return  # called by a handler that was set by a function imported before it was wrapped
        open_sessions.end_on_sigterm()
        set_handler(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # so that the parent sees a process that was ended by SIGTERM

    def replacement(handler: Any) -> Any:
        def note(number: int, frame: FrameType | None) -> Any:
            termination.note()
            return handler(number, frame)

        return end_sessions if handler == signal.SIG_DFL else note if callable(handler) else handler

    @functools.wraps(set_handler)
    def set_shown(signalnum: Any, handler: Any) -> Any:
        nonlocal shown, ours
        if signalnum != signal.SIGTERM:
            return set_handler(signalnum, handler)
        if handler is end_sessions:  # found by a function that was imported before it was wrapped
            handler = signal.SIG_DFL
        new = replacement(handler)
        before = set_handler(signalnum, new)
        if before is ours:
            before = shown
        shown, ours = handler, new
        return before

    @functools.wraps(get_handler)
    def get_shown(signalnum: Any) -> Any:
        found = get_handler(signalnum)
        return shown if signalnum == signal.SIGTERM and found is ours else found

    signal.signal, signal.getsignal = set_shown, get_shown
