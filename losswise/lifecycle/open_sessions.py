"""The sessions of this process that have not ended, and how they are ended together."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from losswise.lifecycle import termination
from losswise.lifecycle.drain import wait_delivered
from losswise.lifecycle.outcome import COMPLETE, INTERRUPTED, Outcome
from losswise.protocol.records import status_record
from losswise.recording.journal_writer import JournalWriter
from losswise.recording.recorder import Recorder
from losswise.settings import end_timeout
from losswise.util.guard import guarded
from losswise.util.locks import forget_held
from losswise.util.messages import notify, notify_error
from losswise.util.paths import journal_folder, sync_command
from losswise.values.texts import describe_exception

WRITE_TIMEOUT_S = 2.0  # to see which points came after an exit, and to save them if ending a session fails
INTERRUPTED_TIMEOUT_S = 2.0  # how long the end still waits for the disk after Ctrl-C
COLLECTING_SHARE = 0.5  # of SIGTERM's time, for images and environment; the rest is for the disk and the network


@dataclass(eq=False)  # two objects may be writers of one session
class OpenSession:
    """A session as the process's exit sees it.

    Attributes:
        finish: stops what is collected beside metrics; called with `begun` and `budget` of `end`.
        on_end: called with the outcome before it is recorded.
        after_fork: called in a forked child, once the recorder is reset.
        expected: the outcome that the process's exit records if nothing else ends the session and nothing fails.
    """

    recorder: Recorder
    finish: Callable[[float, float], None]
    on_end: Callable[[Outcome], None]
    after_fork: Callable[[], None]
    expected: Outcome = COMPLETE

    def end(self, outcome: Outcome, begun: float | None = None, budget: float = math.inf) -> JournalWriter | None:
        """Record the outcome, and return what is to be delivered; None if the session had ended before.

        What is still being collected gets `budget` seconds since `begun` (time.monotonic; None means now).
        """
        if not self.recorder.open:
            return None
        self.finish(time.monotonic() if begun is None else begun, budget)
        if outcome.status == "complete" and termination.is_stopping():
            outcome = INTERRUPTED
        error = describe_exception(outcome.error)
        self.expected = outcome._replace(error=error)
        self.on_end(self.expected)
        return self.recorder.end(status_record(outcome.status, time.time(), outcome.reason, error))


class _State:
    def __init__(self) -> None:
        self.sessions: dict[OpenSession, None] = {}  # in the order of their beginning
        self.forget_signals()

    def forget_signals(self) -> None:
        self.deadline = math.inf  # when the time that SIGTERM leaves is over (time.monotonic)
        self.gave_up = False  # Ctrl-C has ended a wait for the delivery


_state = _State()

ChooseOutcome = Callable[[OpenSession], Outcome]


def add(session: OpenSession) -> None:
    """End this session with the process if it does not end before."""
    _state.sessions[session] = None
    _state.forget_signals()  # a later SIGTERM or Ctrl-C has a time of its own


def end(session: OpenSession, outcome: Outcome, timeout: float) -> None:
    """End a session and wait for its delivery, until Ctrl-C or `timeout` seconds without an acknowledgement."""
    was_interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
    try:
        writer = session.end(outcome)
        if writer is not None:
            wait_delivered([writer], timeout, _stop_deadline())
    except KeyboardInterrupt:
        _give_up([session], lambda session: outcome)
        if not was_interrupted:
            raise
    if not session.recorder.is_writing():
        _state.sessions.pop(session, None)


def end_all(choose: ChooseOutcome, is_interrupted: bool = False) -> None:
    """End all sessions for good and wait for their delivery. Ctrl-C ends the wait.

    With `is_interrupted`, Ctrl-C has ended the script. If it did so during a wait for the delivery, do not wait again.
    """
    sessions = list(_state.sessions)
    if is_interrupted and _state.gave_up:
        return _give_up(sessions, choose)
    try:
        for session in sessions:
            session.recorder.is_exiting = True
        writers = _end_each(sessions, choose, math.inf)
        wait_delivered(writers, end_timeout(), _stop_deadline())
    except KeyboardInterrupt:
        return _give_up(sessions, choose)
    for session in sessions:
        _state.sessions.pop(session, None)


@guarded("ending the sessions")
def end_on_sigterm() -> None:
    """End all sessions as cancelled, for good, within LW_END_TIMEOUT."""
    seconds = end_timeout()
    _state.deadline = min(_state.deadline, time.monotonic() + seconds)
    sessions = list(_state.sessions)
    for session in sessions:
        session.recorder.is_exiting = True
    writers = _end_each(sessions, lambda session: INTERRUPTED, seconds * COLLECTING_SHARE)
    wait_delivered(writers, seconds, _state.deadline)


def after_fork() -> None:
    """In a forked child: leave the parent's sessions to the parent. What the child records gets its own journal."""
    forget_held()
    termination.forget()
    _state.forget_signals()
    for session in list(_state.sessions):
        session.recorder.after_fork()
        session.after_fork()


def _stop_deadline() -> float:
    """When the wait for the delivery is over although the server acknowledges (time.monotonic): SIGKILL may follow."""
    return time.monotonic() + end_timeout() if termination.is_stopping() else math.inf


def _give_up(sessions: list[OpenSession], choose: ChooseOutcome) -> None:
    """Stop waiting for the delivery after Ctrl-C: write the rest to the disk and say what is left."""
    _state.gave_up = True
    writers: list[JournalWriter] = []
    try:
        writers = _end_each(sessions, choose, 0.0)
        wait_delivered(writers, 0.0, time.monotonic() + INTERRUPTED_TIMEOUT_S)
    except KeyboardInterrupt:
        folders = (writer.journal.paths.folder for writer in writers if writer.journal is not None)
        command = sync_command(next(folders, journal_folder()))
        notify(f"interrupted; what is not sent yet is kept, and `{command}` sends it")


def _end_each(sessions: list[OpenSession], choose: ChooseOutcome, budget: float) -> list[JournalWriter]:
    """End all sessions before any is waited for. What is collected beside metrics gets `budget` seconds in all."""
    begun = time.monotonic()
    writers = []
    for session in sessions:
        try:
            if session.recorder.open:
                writers.append(session.end(choose(session), begun, budget))
            else:  # something else may just be ending it
                writers.append(session.recorder.ending_writer())
        except Exception as error:
            notify_error("ending a session", error)
            session.recorder.write_out(WRITE_TIMEOUT_S)
    return [writer for writer in writers if writer is not None]
