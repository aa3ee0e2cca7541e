"""Notice that a call has been left, where its framework calls no hook for that (Keras, when fit raises)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType

from losswise.guard import guarded_thread

EACH = 0.5
"""Seconds between two looks at the stack."""


class CallWatch:
    """Look, in a thread, whether a frame is still on the stack of the thread that runs it.

    Args:
        frame: of the call, running in the calling thread.
        on_left: called once in the watching thread when the frame is gone before `stop` was called, with
            the exception that the thread is handling then, or None where it has been dealt with already.
    """

    def __init__(self, frame: FrameType, on_left: Callable[[BaseException | None], None]) -> None:
        self._frame: FrameType | None = frame
        self._on_left = on_left
        self._ident = threading.get_ident()
        self._around = sys.exc_info()[1]  # the call itself may stand in an except block
        self._stopped = threading.Event()
        self._thread = guarded_thread(self._run, "losswise-callwatch")
        self._thread.start()

    def stop(self) -> None:
        """The call came to its end. Waits for nothing."""
        self._stopped.set()
        self._frame = None  # it holds all that is local to the call

    def is_running(self) -> bool:
        frame = sys._current_frames().get(self._ident)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None

    def _run(self) -> None:
        while not self._stopped.wait(EACH):
            if self.is_running():
                continue
            if self._stopped.is_set():
                return
            self._frame = None
            self._on_left(self._handled())
            return

    def _handled(self) -> BaseException | None:
        found = sys._current_exceptions().get(self._ident)
        error = found[1] if isinstance(found, tuple) else found  # a tuple before Python 3.12
        return error if isinstance(error, BaseException) and error is not self._around else None
