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

from losswise.locks import forget_held
from losswise.messages import say, say_error

if TYPE_CHECKING:
    from losswise.outbox import Outbox
    from losswise.session import Session

TERMINATED = 10.0
"""Seconds in all that SIGTERM leaves for the delivery."""
TELL_AFTER = 2.0
TELL_EACH = 5.0


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
        import_module("multiprocessing.util").Finalize(None, _at_exit, exitpriority=100)


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


def wait_delivered(outbox: Outbox, silent: float, refusing: float, most: float) -> None:
    """Wait until the journal is with the server, as long as that has sense, and say what is left.

    Args:
        silent: seconds without an acknowledgement after which to give up.
        refusing: the same, where the last attempt was turned away at once.
        most: seconds in all.
    """
    started = time.monotonic()
    if not outbox.wait_written(min(30.0, most)):
        say("the journal could not be written to its end in time")
        return
    journal, sender = outbox.journal, outbox.sender
    if journal is None or sender is None:
        return
    sender.hurry()
    tell_at = started + TELL_AFTER
    while not (sender.finished or sender.stopped):
        now = time.monotonic()
        silence = now - max(started, sender.heard_at)
        if silence > silent or (sender.refused and silence > refusing) or now - started > most:
            break
        if now > tell_at:
            tell_at = now + TELL_EACH
            say(f"sending what is left: {journal.count - sender.acknowledged} records")
        time.sleep(0.005)
    sender.hurried = False  # from here on it goes on in the background, in its own time
    left = journal.count - sender.acknowledged
    if left and not sender.deleted:
        say(f"{left} records are not sent yet; they are kept in {journal.path} and `losswise sync` sends them")


def _install() -> None:
    atexit.register(_at_exit)
    _wrap_excepthook()
    _wrap_exit()
    _handle_sigterm()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork_in_child)


def _at_exit() -> None:
    for session in list(_watched.sessions.values()):
        try:
            status, reason, error = _how(session)
            session._end(status, reason, error)
        except KeyboardInterrupt:
            say("interrupted; what is not sent yet is kept, and `losswise sync` sends it")
            return
        except Exception as problem:
            say_error("ending a session at exit", problem)
    if isinstance(_watched.error, KeyboardInterrupt):
        # CPython ends by SIGINT where the last code it ran was interrupted. What was imported since then to
        # send the rest made it forget that, and the script's exit status would be another.
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


def _how(session: Session) -> tuple[str, str | None, Any]:
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
    deadline = time.monotonic() + TERMINATED
    for session in list(_watched.sessions.values()):
        session._end("cancelled", "interrupted", most=max(0.1, deadline - time.monotonic()))
    if callable(before):
        before(number, frame)
        return
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _after_fork_in_child() -> None:
    forget_held()
    for session in list(_watched.sessions.values()):
        if session._outbox is not None:
            session._outbox.after_fork()
