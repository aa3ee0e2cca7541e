"""How a session ends: leaving well, an exception, Ctrl-C, sys.exit, SIGTERM; and what a fork means."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any

from losswise.guard import guarded
from losswise.locks import forget_held
from losswise.messages import say
from losswise.settings import end_timeout
from losswise.waiting import wait_delivered

if TYPE_CHECKING:
    from losswise.scribe import Scribe
    from losswise.session import Session


Ending = tuple[str, "str | None", Any]
"""Status, reason and error."""


class _Watched:
    """The sessions of this process and what is known about how it ends."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.error: BaseException | None = None
        self.exit_code: Any = None
        self.exit_at: float | None = None
        self.installed = False


_watched = _Watched()


def watch(session: Session) -> None:
    """End this session with the process, if it does not end before."""
    _watched.sessions[session.id] = session
    if not _watched.installed:
        _watched.installed = True
        _install()
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        # a forked worker ends with os._exit, which runs no atexit
        at_exit = guarded("ending the sessions of a worker")(_at_exit)
        import_module("multiprocessing.util").Finalize(None, at_exit, exitpriority=100)


def forget(session: Session) -> None:
    """This session has ended and is delivered."""
    _watched.sessions.pop(session.id, None)


def ending_of(error: BaseException | None) -> tuple[str, str | None]:
    """Status and reason of what an error, or none, says about the end."""
    if error is None or isinstance(error, GeneratorExit):
        return "complete", None
    if isinstance(error, KeyboardInterrupt):
        return "cancelled", "interrupted"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "complete", None
    return "failed", "error"


def _install() -> None:
    atexit.register(guarded("ending the sessions at exit")(_at_exit))
    _wrap_excepthook()
    _wrap_exit()
    _handle_sigterm()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=guarded("going on in a forked process")(_after_fork_in_child))


def _at_exit() -> None:
    sessions = list(_watched.sessions.values())
    try:
        for session in sessions:
            if session._outbox is not None:
                session._outbox.is_last = True
        wait_delivered(_close_all(sessions, _how), end_timeout())
    except KeyboardInterrupt:
        say("interrupted; what is not sent yet is kept, and `losswise sync` sends it")
        return
    if isinstance(_watched.error, KeyboardInterrupt):
        # CPython ends by SIGINT where the last code it ran was interrupted. What was imported since then to
        # send the rest made it forget that, and the script's exit status would be another.
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


def _close_all(sessions: list[Session], how: Callable[[Session], Ending]) -> list[Scribe]:
    """Have all of them ended before any is waited for."""
    scribes = [_close(session, how) for session in sessions]
    return [scribe for scribe in scribes if scribe is not None]


@guarded("ending a session")
def _close(session: Session, how: Callable[[Session], Ending]) -> Scribe | None:
    return session._close(*how(session))


def _how(session: Session) -> Ending:
    """Status, reason and error of a session that nobody ended."""
    if _watched.error is not None:
        status, reason = ending_of(_watched.error)
        return status, reason, _watched.error if status == "failed" else None
    outbox = session._outbox
    if outbox is not None and _watched.exit_at is not None:
        outbox.write_out(2.0)
    went_on = outbox is not None and _watched.exit_at is not None and outbox.last_point_at > _watched.exit_at
    if _watched.exit_code not in (None, 0) and not went_on:  # went on: somebody caught that SystemExit
        message = f"exit status {_watched.exit_code}"
        return "failed", "error", {"type": "SystemExit", "message": message, "traceback": ""}
    return session._left_as or ("complete", None, None)


def _wrap_excepthook() -> None:
    before = sys.excepthook

    def hook(type_: type[BaseException], error: BaseException, trace: Any) -> None:
        _watched.error = error
        before(type_, error, trace)

    sys.excepthook = hook


def _wrap_exit() -> None:
    """There is no other way to learn, at exit, which status the script ends with."""
    before: Callable[..., Any] = sys.exit

    def exit(status: Any = None, /) -> Any:
        _watched.exit_code, _watched.exit_at = status, time.time()
        before(status)

    exit.__doc__ = before.__doc__
    sys.exit = exit


def _handle_sigterm() -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    try:
        before = signal.getsignal(signal.SIGTERM)
        if before is None or before is signal.SIG_IGN:  # None: set by a library in C
            return
        signal.signal(signal.SIGTERM, lambda number, frame: _on_sigterm(number, frame, before))
    except (ValueError, OSError, AttributeError):
        return


def _on_sigterm(number: int, frame: FrameType | None, before: Any) -> None:
    _end_by_sigterm()
    if callable(before):
        before(number, frame)
        return
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


@guarded("ending the sessions")
def _end_by_sigterm() -> None:
    seconds = end_timeout()
    sessions = list(_watched.sessions.values())
    wait_delivered(_close_all(sessions, lambda session: ("cancelled", "interrupted", None)), seconds, most=seconds)


def _after_fork_in_child() -> None:
    forget_held()
    for session in list(_watched.sessions.values()):
        session._after_fork()
