"""How a session ends: leaving well, an exception, Ctrl-C, sys.exit, SIGTERM; and what a fork means."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import signal
import sys
import threading
import time
from _sitebuiltins import Quitter
from collections.abc import Callable
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any

from losswise.lifecycle.drain import wait_delivered
from losswise.lifecycle.outcome import COMPLETE, Ending, _told
from losswise.settings import end_timeout
from losswise.util.guard import guarded
from losswise.util.ipython import _stays
from losswise.util.locks import forget_held
from losswise.util.messages import say, say_error
from losswise.util.paths import journal_folder, sync_command

if TYPE_CHECKING:
    from losswise.recording.journal_writer import Scribe
    from losswise.session import Session

IMAGES_SHARE = 0.5
"""Part of SIGTERM's seconds that images and facts may take; the rest is the disk's and the network's."""

_OUTERMOST = ("<module>", "_run_module_as_main")
"""Where a script begins; the second is that of `python -m`."""


class _Watched:
    """The sessions of this process and what is known about how it ends.

    Attributes:
        sessions: in their order. By object, since two may be writers of one session.
        exit_code, exit_at, exit_at_prompt: of the main thread's last sys.exit: status, unix seconds, and whether
            it was typed.
        until: when SIGTERM's seconds are over (time.monotonic).
        gave_up: Ctrl-C has ended a waiting for the delivery.
        worker: process id where a worker of multiprocessing is watched.
    """

    def __init__(self) -> None:
        self.sessions: dict[Session, None] = {}
        self.installed = False
        self.handles_sigterm = False
        self.until = math.inf
        self.gave_up = False
        self.worker = 0
        self.forget_exit()

    def forget_exit(self) -> None:
        self.exit_code: Any = None
        self.exit_at = 0.0
        self.exit_at_prompt = False


_watched = _Watched()


def watch(session: Session) -> None:
    """End this session with the process, if it does not end before."""
    _watched.sessions[session] = None
    _watched.until, _watched.gave_up = math.inf, False  # whoever catches SIGTERM or Ctrl-C has gone on
    if not _watched.installed:
        _watched.installed = True
        _install()
    if not _watched.handles_sigterm and threading.current_thread() is threading.main_thread():
        _watched.handles_sigterm = True
        _handle_sigterm()
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None and _watched.worker != os.getpid():
        _watched.worker = os.getpid()
        # a forked worker ends with os._exit, which runs no atexit
        at_exit = guarded("ending the sessions of a worker")(_at_worker_exit)
        import_module("multiprocessing.util").Finalize(None, at_exit, exitpriority=100)


def forget(session: Session) -> None:
    """This session has ended, and is delivered or given up."""
    _watched.sessions.pop(session, None)


def end(session: Session, ending: Ending, seconds: float) -> None:
    """End a session and wait for its delivery. Ctrl-C ends the waiting."""
    was_interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
    try:
        scribe = session._close(*ending)
        if scribe is not None:
            wait_delivered([scribe], seconds)
    except KeyboardInterrupt:
        _give_up([session], lambda session: ending)
        if not was_interrupted:
            raise
    if session._outbox is None or not session._outbox.is_writing():
        forget(session)


def end_all(error: BaseException) -> bool:
    """End what an error leaves open, for good, and wait for the delivery. False: interrupted."""
    return _end_all(lambda session: _told(error))


def _install() -> None:
    atexit.register(guarded("ending the sessions at exit")(_at_exit))
    _wrap_exit()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=guarded("going on in a forked process")(_after_fork_in_child))


def _at_exit() -> None:
    error = _uncaught()
    is_interrupted = isinstance(error, KeyboardInterrupt)
    if is_interrupted and _watched.gave_up:
        _give_up(list(_watched.sessions), lambda session: _how(session, error))
    else:
        _end_all(lambda session: _how(session, error))
    if is_interrupted:
        # CPython ends by SIGINT where the last code it ran was interrupted. What was imported since then to
        # send the rest made it forget that, and the script's exit status would be another.
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


def _at_worker_exit() -> None:
    error = _in_flight()
    _end_all(lambda session: _told(error) if error is not None else session._left_as or COMPLETE)


def _end_all(how: Callable[[Session], Ending]) -> bool:
    """End all sessions for good and wait for the delivery. False: interrupted."""
    sessions = list(_watched.sessions)
    try:
        _let_none_go_on(sessions)
        scribes = _close_all(sessions, how, math.inf)
        wait_delivered(scribes, end_timeout(), most=_watched.until - time.monotonic())
    except KeyboardInterrupt:
        _give_up(sessions, how)
        return False
    for session in sessions:
        forget(session)
    return True


def _give_up(sessions: list[Session], how: Callable[[Session], Ending]) -> None:
    """Ctrl-C while the end waits: to the disk it goes still, and a line says what is left."""
    _watched.gave_up = True
    scribes: list[Scribe] = []
    try:
        scribes = _close_all(sessions, how, 0.0)
        wait_delivered(scribes, silent=0.0, most=2.0)
    except KeyboardInterrupt:
        folders = [scribe.journal.paths.folder for scribe in scribes if scribe.journal is not None]
        command = sync_command(folders[0] if folders else journal_folder())
        say(f"interrupted; what is not sent yet is kept, and `{command}` sends it")


def _let_none_go_on(sessions: list[Session]) -> None:
    for session in sessions:
        if session._outbox is not None:
            session._outbox.is_last = True


def _close_all(sessions: list[Session], how: Callable[[Session], Ending], most: float) -> list[Scribe]:
    """Have all of them ended before any is waited for. What works beside them gets so many seconds in all."""
    begun = time.monotonic()
    scribes = [_close(session, how, begun, most) for session in sessions]
    return [scribe for scribe in scribes if scribe is not None]


@guarded("ending a session")
def _close(session: Session, how: Callable[[Session], Ending], begun: float, most: float) -> Scribe | None:
    """Returns the scribe that is to be waited for, also of a session that something else is just ending."""
    outbox = session._outbox
    if outbox is None:
        return None
    if outbox.open:
        try:
            return session._close(*how(session), begun, most)
        except Exception as error:
            say_error("ending a session", error)
            outbox.write_out(2.0)
            return None
    scribe = outbox._scribe
    is_at_work = scribe is not None and (scribe.is_writing() or (scribe.sender and scribe.sender.is_at_work()))
    return scribe if is_at_work else None


def _how(session: Session, error: BaseException | None) -> Ending:
    """How a session ends that nobody ended, in a script that ended with this error."""
    if error is not None:
        return _told(error)
    if _exit_counts(session):
        message = f"exit status {_watched.exit_code}"
        return "failed", "error", {"type": "SystemExit", "message": message, "traceback": ""}
    return session._left_as or COMPLETE


def _uncaught() -> BaseException | None:
    """The exception that has ended the script. Python keeps it, whoever's hook shows it."""
    error, trace = getattr(sys, "last_value", None), getattr(sys, "last_traceback", None)
    if trace is None or not isinstance(error, BaseException):
        return None
    # one that was caught begins where it was caught; Python also keeps those of callbacks of C code
    frame = trace.tb_frame
    if frame.f_back is not None or frame.f_code.co_name not in _OUTERMOST:
        return None
    at_prompt = hasattr(sys, "ps1") and (sys.flags.inspect or frame.f_code.co_filename.startswith("<stdin"))
    return None if at_prompt else error  # after one at a prompt, or with `python -i`, the interpreter went on


def _in_flight() -> BaseException | None:
    """The exception that ends a worker, which is on its way while the worker's finalizers run."""
    error = sys.exc_info()[1]
    trace = error.__traceback__ if error is not None else None
    bootstrap = import_module("multiprocessing.process").BaseProcess._bootstrap
    # any other is what the parent was just handling when it forked
    return error if trace is not None and trace.tb_frame.f_code is bootstrap.__code__ else None


def _exit_counts(session: Session) -> bool:
    """Whether the script has ended by sys.exit with another status than 0."""
    if _watched.exit_code in (None, 0):
        return False
    if hasattr(sys, "ps1") and not _watched.exit_at_prompt:
        return False  # `python -i` went on
    outbox = session._outbox
    if outbox is None:
        return True
    outbox.write_out(2.0)
    return outbox.last_point_at <= _watched.exit_at  # else somebody caught that SystemExit


def _wrap_exit() -> None:
    """There is no other way to learn, at exit, which status the script ends with."""
    before: Callable[..., Any] = sys.exit
    typed: Callable[..., Any] = Quitter.__call__

    def exit(status: Any = None, /) -> Any:
        _note_exit(status)
        before(status)

    def call(self: Quitter, code: Any = None) -> Any:
        _note_exit(code)
        typed(self, code)

    exit.__doc__ = before.__doc__
    sys.exit = exit
    Quitter.__call__ = call  # type: ignore[method-assign]  # exit(3) and quit(3)


@guarded("noting an exit status")
def _note_exit(status: Any) -> None:
    if threading.current_thread() is not threading.main_thread() or _stays():
        return
    _watched.exit_code, _watched.exit_at, _watched.exit_at_prompt = status, time.time(), hasattr(sys, "ps1")


def _handle_sigterm() -> None:
    try:
        before = signal.getsignal(signal.SIGTERM)
        if before is None or before is signal.SIG_IGN:  # None: set by a library in C
            return
        signal.signal(signal.SIGTERM, lambda number, frame: _on_sigterm(number, frame, before))
    except (ValueError, OSError, AttributeError):
        return


def _on_sigterm(number: int, frame: FrameType | None, before: Any) -> None:
    _end_by_sigterm(is_last=not callable(before))
    if callable(before):
        before(number, frame)
        return
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


@guarded("ending the sessions")
def _end_by_sigterm(is_last: bool) -> None:
    begun, seconds = time.monotonic(), end_timeout()
    _watched.until = min(_watched.until, begun + seconds)
    sessions = list(_watched.sessions)
    if is_last:
        _let_none_go_on(sessions)
    scribes = _close_all(sessions, lambda session: ("cancelled", "interrupted", None), seconds * IMAGES_SHARE)
    wait_delivered(scribes, seconds, most=_watched.until - time.monotonic())


def _after_fork_in_child() -> None:
    forget_held()
    _watched.forget_exit()
    _watched.until, _watched.gave_up = math.inf, False
    for session in list(_watched.sessions):
        session._after_fork()
