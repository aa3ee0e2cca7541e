"""Notice that a call has been left, where its framework calls no hook for that (Keras, when fit raises)."""

from __future__ import annotations

import functools
import signal
import sys
import threading
import time
from _sitebuiltins import Quitter
from collections.abc import Callable
from types import FrameType
from typing import Any

from losswise.util.guard import guarded, guarded_thread

EACH = 0.5
"""Seconds between two looks at the stack."""

_in_main_thread: list[CallWatch] = []
"""Those whose call Ctrl-C or sys.exit would leave."""
_notes_exits = False


class CallWatch:
    """Look, in a thread, whether a frame is still on the stack of the thread that runs it.

    Args:
        frame: of the call, running in the calling thread.
        on_left: called once in the watching thread when the frame is gone before `stop` was called, with
            the exception that the thread is handling then, or that a notebook or prompt has shown; None where
            it has been dealt with already. `stop` waits for it.
        on_raise: called in the main thread by Ctrl-C and by sys.exit with the KeyboardInterrupt or SystemExit that
            is about to be raised in the call.
    """

    def __init__(
        self,
        frame: FrameType,
        on_left: Callable[[BaseException | None], None],
        on_raise: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self._frame: FrameType | None = frame
        self._outer = _callers(frame)
        self._on_left = on_left
        self._on_raise = on_raise
        self._raised: BaseException | None = None
        self._raised_at = -1.0
        self._ident = threading.get_ident()
        self._around = sys.exc_info()[1]  # the call itself may stand in an except block
        self._stopped = threading.Event()
        self._ending = threading.RLock()
        self._thread = guarded_thread(self._run, "losswise-callwatch")
        self._thread.start()
        if threading.current_thread() is threading.main_thread():
            _in_main_thread.append(self)
            _note_interrupts()
            _note_exits()

    def stop(self) -> None:
        """The call came to its end. From now on nothing is called."""
        with self._ending:
            self._stopped.set()
            self._let_go()
        _forget_interrupts()

    def is_running(self) -> bool:
        frame = sys._current_frames().get(self._ident)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None

    def _run(self) -> None:
        seen = time.monotonic()
        while not self._stopped.wait(EACH):
            now = time.monotonic()
            if self.is_running():
                seen = now
                continue
            error = self._handled() or self._shown()
            if error is None and self._raised_at >= seen:
                error = self._raised
            with self._ending:
                if not self._stopped.is_set():
                    self.stop()
                    self._on_left(error)
            return

    def _let_go(self) -> None:
        self._frame = None  # it holds all that is local to the call
        self._outer = []
        if self in _in_main_thread:
            _in_main_thread.remove(self)

    @guarded("noting Ctrl-C or sys.exit")
    def note(self, error: BaseException) -> None:
        """This is about to be raised in the main thread."""
        if self.is_running():
            self._raised, self._raised_at = error, time.monotonic()
            self._on_raise(error)

    def _handled(self) -> BaseException | None:
        found = sys._current_exceptions().get(self._ident)
        error = found[1] if isinstance(found, tuple) else found  # a tuple before Python 3.12
        return error if isinstance(error, BaseException) and error is not self._around else None

    def _shown(self) -> BaseException | None:
        """The last that was shown at a prompt, if it came through a caller of the call."""
        error, trace = getattr(sys, "last_value", None), getattr(sys, "last_traceback", None)
        while trace is not None:
            if trace.tb_frame in self._outer:
                return error if isinstance(error, BaseException) else None
            trace = trace.tb_next
        return None


def _callers(frame: FrameType) -> list[FrameType]:
    found: list[FrameType] = []
    outer = frame.f_back
    while outer is not None:
        found.append(outer)
        outer = outer.f_back
    return found


def _note_interrupts() -> None:
    """Where Ctrl-C raises KeyboardInterrupt, which a script may catch, have it noted, too."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _on_interrupt)


def _forget_interrupts() -> None:
    if _in_main_thread or threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGINT) is _on_interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _note_exits() -> None:
    """Have SystemExit noted, which leaves no trace where it ends the script."""
    global _notes_exits
    if _notes_exits:
        return
    _notes_exits = True
    before: Callable[..., Any] = sys.exit
    typed: Callable[..., Any] = Quitter.__call__

    @functools.wraps(before)
    def exit(status: Any = None, /) -> Any:
        _tell(SystemExit(status))
        before(status)

    def call(self: Quitter, code: Any = None) -> Any:
        _tell(SystemExit(code))
        typed(self, code)

    sys.exit = exit
    Quitter.__call__ = call  # type: ignore[method-assign]  # exit(3) and quit(3)


def _tell(error: BaseException) -> None:
    if threading.current_thread() is threading.main_thread():
        for watch in list(_in_main_thread):
            watch.note(error)


def _on_interrupt(number: int, frame: Any) -> None:
    _tell(KeyboardInterrupt())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.default_int_handler(number, frame)
