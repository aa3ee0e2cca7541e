"""End the open sessions with the process, with the outcome that the script's end implies.

How a script ends, what Python leaves to an atexit function, and what is recorded:

    last line                    nothing                                   expected outcome, else complete
    uncaught exception           sys.last_value, set by the default hook   failed, with the exception
    Ctrl-C                       sys.last_value is a KeyboardInterrupt     cancelled
    sys.exit(n), exit(n)         nothing: the wrappers here note n         failed if n is not 0
    return from a forked worker  no atexit: multiprocessing's finalizers   failed if an exception is in flight
    SIGTERM                      no atexit: see signals.py                 cancelled, then the process ends by SIGTERM
    ... that the script handles  as above                                  cancelled
    kill -9, os._exit            nothing                                   the uploader of the journal adds a record
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
import weakref
from _sitebuiltins import Quitter
from collections.abc import Callable
from importlib import import_module
from typing import Any

from losswise.delivery.replay import finish_backfill
from losswise.lifecycle import open_sessions, signals, termination
from losswise.lifecycle.open_sessions import OpenSession
from losswise.lifecycle.outcome import INTERRUPTED, Outcome, outcome_of
from losswise.util.guard import guarded
from losswise.util.ipython import survives_exit

# functions in which a script begins; the second is that of `python -m`
_OUTERMOST = ("<module>", "_run_module_as_main")
# exit statuses by which a script says that a signal ended it, as a shell does
STOPPED_CODES = (128 + signal.SIGINT, 128 + signal.SIGTERM)


class _Exit:
    """What is known of this process's exit. The last three are of the main thread's last sys.exit."""

    installed = False
    handles_sigterm = False
    worker = 0  # id of the process whose multiprocessing finalizers are hooked
    code: Any = None
    at = 0.0  # unix seconds
    at_prompt = False


def watch(session: OpenSession) -> None:
    """End this session with the process if it does not end before."""
    open_sessions.add(session)
    if not _Exit.installed:
        _Exit.installed = True
        # Python's finalizers are ended by an exit function of their own, which must not run while our threads, which
        # make some (connections), do: so it is registered first, since the last one is called first
        weakref.finalize(_at_exit, int).atexit = False
        atexit.register(_at_exit)
        _wrap_exit()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_after_fork)
    if not _Exit.handles_sigterm:
        _Exit.handles_sigterm = signals.install()
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None and _Exit.worker != os.getpid():
        _Exit.worker = os.getpid()
        # a forked worker ends with os._exit, which runs no atexit
        import_module("multiprocessing.util").Finalize(None, _at_worker_exit, exitpriority=100)


@guarded("going on in a forked process")
def _after_fork() -> None:
    _Exit.code = None
    open_sessions.after_fork()


@guarded("ending the sessions at exit")
def _at_exit() -> None:
    error = _uncaught_exception()
    is_interrupted = isinstance(error, KeyboardInterrupt)
    open_sessions.end_all(lambda session: _outcome_at_exit(session, error), is_interrupted)
    finish_backfill()
    if is_interrupted:
        # CPython ends by SIGINT if the last code it ran was interrupted. Imports since then, made to send the rest,
        # made it forget that, and the script would exit with another status.
        with contextlib.suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


@guarded("ending the sessions of a worker")
def _at_worker_exit() -> None:
    # an exception that ends the worker is propagating while the finalizers run; any other one is an exception that the
    # parent was handling when it forked
    error = sys.exc_info()[1]
    trace = error.__traceback__ if error is not None else None
    bootstrap = import_module("multiprocessing.process").BaseProcess._bootstrap
    has_failed = trace is not None and trace.tb_frame.f_code is bootstrap.__code__
    if not has_failed:
        error = None
    is_known = has_failed or termination.is_stopping()
    open_sessions.end_all(lambda session: outcome_of(error) if is_known else session.expected)


def _outcome_at_exit(session: OpenSession, error: BaseException | None) -> Outcome:
    """Return the outcome of a session that was still open when the script ended with this exception."""
    if error is not None or termination.is_stopping():
        return outcome_of(error)
    if _Exit.code in (None, 0) or (hasattr(sys, "ps1") and not _Exit.at_prompt):  # ps1: `python -i` went on
        return session.expected
    session.recorder.write_out(open_sessions.WRITE_TIMEOUT_S)
    if session.recorder.queue.last_point_at > _Exit.at:  # a later point means that the SystemExit was caught
        return session.expected
    if _Exit.code in STOPPED_CODES:
        return INTERRUPTED
    message = f"exit status {_Exit.code}"
    return Outcome("failed", "error", {"type": "SystemExit", "message": message, "traceback": ""})


def _uncaught_exception() -> BaseException | None:
    """Return the exception that has ended the script. Python keeps it, whichever excepthook shows it."""
    error, trace = getattr(sys, "last_value", None), getattr(sys, "last_traceback", None)
    if trace is None or not isinstance(error, BaseException):
        return None
    # the traceback of a caught exception begins where it was caught; Python also keeps those of C callbacks
    frame = trace.tb_frame
    if frame.f_back is not None or frame.f_code.co_name not in _OUTERMOST:
        return None
    # after an exception at a prompt, or with `python -i`, the interpreter went on
    at_prompt = hasattr(sys, "ps1") and (sys.flags.inspect or frame.f_code.co_filename.startswith("<stdin"))
    return None if at_prompt else error


def _wrap_exit() -> None:
    """Wrap sys.exit, exit and quit: an atexit function has no other way to learn the exit status."""
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
    if threading.current_thread() is not threading.main_thread() or survives_exit():
        return
    _Exit.code, _Exit.at, _Exit.at_prompt = status, time.time(), hasattr(sys, "ps1")
