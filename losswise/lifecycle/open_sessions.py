"""The sessions of this process that have not ended, and how they are ended together."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from losswise.lifecycle.drain import wait_delivered
from losswise.lifecycle.outcome import COMPLETE, Outcome
from losswise.protocol.records import status_record
from losswise.settings import end_timeout
from losswise.util.guard import guarded
from losswise.util.locks import forget_held
from losswise.util.messages import say, say_error
from losswise.util.paths import journal_folder, sync_command
from losswise.values.errors import describe_exception

if TYPE_CHECKING:
    from losswise.recording.journal_writer import JournalWriter
    from losswise.recording.recorder import Recorder

WRITE_TIMEOUT_S = 2.0
# how long the end still waits for the disk after Ctrl-C
INTERRUPTED_TIMEOUT_S = 2.0


class OpenSession:
    """A session as the process's exit sees it.

    Args:
        recorder: of the session.
        finish: stops what is collected beside metrics. Called with the time at which the end began (time.monotonic)
            and the seconds since then that it may take.
        on_end: called with the outcome before it is recorded.
        after_fork: called in a forked child, once the recorder is reset.

    Attributes:
        expected: the outcome that the process's exit records if nothing else ends the session and nothing fails.
    """

    def __init__(
        self,
        recorder: Recorder,
        finish: Callable[[float, float], None],
        on_end: Callable[[Outcome], None],
        after_fork: Callable[[], None],
    ) -> None:
        self.recorder = recorder
        self.expected = COMPLETE
        self._finish = finish
        self._on_end = on_end
        self._after_fork = after_fork

    def after_fork(self) -> None:
        """In a forked child: leave what the parent records to the parent."""
        self.recorder.after_fork()
        self._after_fork()

    def end(self, outcome: Outcome, begun: float | None = None, budget: float = math.inf) -> JournalWriter | None:
        """Record the outcome, without waiting for the delivery.

        Args:
            outcome: how the session ended.
            begun: when the end of all sessions began (time.monotonic); None means now.
            budget: seconds since `begun` that may be spent on what is still being collected.

        Returns:
            What is to be delivered; None if the session had ended before.
        """
        if not self.recorder.open:
            return None
        self._finish(time.monotonic() if begun is None else begun, budget)
        error = describe_exception(outcome.error)
        self.expected = outcome._replace(error=error)
        self._on_end(self.expected)
        return self.recorder.end(status_record(outcome.status, time.time(), outcome.reason, error))


class _OpenSessions:
    """The open sessions of this process, and how far its end has come.

    Attributes:
        sessions: in the order of their beginning. By object, since two objects may be writers of one session.
        deadline: when the time that SIGTERM leaves is over (time.monotonic).
        gave_up: Ctrl-C has ended a wait for the delivery.
    """

    def __init__(self) -> None:
        self.sessions: dict[OpenSession, None] = {}
        self.forget_signals()

    def forget_signals(self) -> None:
        self.deadline = math.inf
        self.gave_up = False


_state = _OpenSessions()

ChooseOutcome = Callable[[OpenSession], Outcome]


def add(session: OpenSession) -> None:
    """End this session with the process if it does not end before."""
    _state.sessions[session] = None
    _state.forget_signals()  # a script that caught SIGTERM or Ctrl-C has gone on


def forget(session: OpenSession) -> None:
    """Remove a session that has ended and is delivered or given up."""
    _state.sessions.pop(session, None)


def gave_up() -> bool:
    """Return whether Ctrl-C has already ended a wait for the delivery."""
    return _state.gave_up


def end(session: OpenSession, outcome: Outcome, timeout: float) -> None:
    """End a session and wait for its delivery. Ctrl-C ends the wait.

    Args:
        session: to end.
        outcome: how it ended.
        timeout: seconds without an acknowledgement after which to give up.
    """
    was_interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
    try:
        writer = session.end(outcome)
        if writer is not None:
            wait_delivered([writer], timeout)
    except KeyboardInterrupt:
        give_up([session], lambda session: outcome)
        if not was_interrupted:
            raise
    if not session.recorder.is_writing():
        forget(session)


def end_all(choose: ChooseOutcome) -> bool:
    """End all sessions for good and wait for their delivery.

    Args:
        choose: returns the outcome of a session.

    Returns:
        False if Ctrl-C ended the wait.
    """
    sessions = list(_state.sessions)
    try:
        _set_exiting(sessions)
        writers = _end_each(sessions, choose, math.inf)
        wait_delivered(writers, end_timeout(), timeout=_state.deadline - time.monotonic())
    except KeyboardInterrupt:
        give_up(sessions, choose)
        return False
    for session in sessions:
        forget(session)
    return True


def end_all_within(seconds: float, outcome: Outcome, collecting: float, is_exiting: bool) -> None:
    """End all sessions within a time limit, such as SIGTERM leaves.

    Args:
        seconds: for everything.
        outcome: of all sessions.
        collecting: seconds of these that images and environment may take; the rest is for the disk and the network.
        is_exiting: the process ends afterwards, so that nothing may open another writer.
    """
    _state.deadline = min(_state.deadline, time.monotonic() + seconds)
    sessions = list(_state.sessions)
    if is_exiting:
        _set_exiting(sessions)
    writers = _end_each(sessions, lambda session: outcome, collecting)
    wait_delivered(writers, seconds, timeout=_state.deadline - time.monotonic())


def give_up(sessions: list[OpenSession] | None, choose: ChooseOutcome) -> None:
    """Stop waiting for the delivery after Ctrl-C: write the rest to the disk and say what is left.

    Args:
        sessions: None means all.
        choose: returns the outcome of a session.
    """
    _state.gave_up = True
    writers: list[JournalWriter] = []
    try:
        writers = _end_each(list(_state.sessions) if sessions is None else sessions, choose, 0.0)
        wait_delivered(writers, silence_timeout=0.0, timeout=INTERRUPTED_TIMEOUT_S)
    except KeyboardInterrupt:
        folders = [writer.journal.paths.folder for writer in writers if writer.journal is not None]
        command = sync_command(folders[0] if folders else journal_folder())
        say(f"interrupted; what is not sent yet is kept, and `{command}` sends it")


def after_fork() -> None:
    """In a forked child: leave the parent's sessions to the parent. What the child records gets its own journal."""
    forget_held()
    _state.forget_signals()
    for session in list(_state.sessions):
        session.after_fork()


def _set_exiting(sessions: list[OpenSession]) -> None:
    for session in sessions:
        session.recorder.is_exiting = True


def _end_each(sessions: list[OpenSession], choose: ChooseOutcome, budget: float) -> list[JournalWriter]:
    """End all sessions before any is waited for. What is collected beside metrics gets `budget` seconds in all."""
    begun = time.monotonic()
    writers = [_end_one(session, choose, begun, budget) for session in sessions]
    return [writer for writer in writers if writer is not None]


@guarded("ending a session")
def _end_one(session: OpenSession, choose: ChooseOutcome, begun: float, budget: float) -> JournalWriter | None:
    """End a session. Returns what is to be delivered, also of a session that something else is just ending."""
    if session.recorder.open:
        try:
            return session.end(choose(session), begun, budget)
        except Exception as error:
            say_error("ending a session", error)
            session.recorder.write_out(WRITE_TIMEOUT_S)
            return None
    return session.recorder.ending()


def _reset_for_tests() -> list[OpenSession]:
    """Forget all sessions. Returns those that had not ended."""
    sessions = list(_state.sessions)
    _state.sessions.clear()
    _state.forget_signals()
    return sessions
