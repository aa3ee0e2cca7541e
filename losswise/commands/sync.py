"""`losswise sync`: send the journals of scripts that have ended, or that do not send by themselves."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import Counter
from enum import IntEnum

from losswise.commands.status import State, UnsentJournal, find_journals, folders_of, no_key
from losswise.delivery.client import Client
from losswise.delivery.pacing import DEFAULT_TIMING, Timing
from losswise.delivery.replay import pause_after, replay, watched
from losswise.delivery.uploader import Step, StepResult, Uploader
from losswise.journal.paths import Paths, is_alive
from losswise.journal.reader import Damaged, Incomplete, JournalReader, open_first
from losswise.settings import resolve
from losswise.util import messages
from losswise.util.credentials import Target
from losswise.util.messages import notify
from losswise.util.units import size_text

LISTED = "`losswise quarantine` lists what is kept of it"
RUNNING = "its script is still running, so run this again later"
BAR_WIDTH = 30
DRAW_INTERVAL_S = 0.1
CLEAR = "\r\x1b[K"


class SyncResult(IntEnum):
    """The outcome for a journal. For a session, the greatest value of its journals counts."""

    SENT = 0
    DELETED = 1
    SENT_SO_FAR = 2
    BY_OTHERS = 3
    SENT_IN_PART = 4
    LEFT = 5


class ServerLost(Exception):
    """The server rejects or answers nothing, so the other sessions are not tried.

    Its arguments are the problem as a sentence, empty if the user has been told, and whether connections are refused.
    """


def sync(folder: str | os.PathLike[str] | None = None, timing: Timing = DEFAULT_TIMING) -> int:
    """Send every journal in a folder to the current server.

    It can be run again at any time: the server stores nothing twice.

    Args:
        folder: of journals, by default this user's usual folders.

    Returns:
        The exit status: 0 if nothing is left, 1 if something is or was put into quarantine.

    Raises:
        KeyboardInterrupt: by Ctrl-C, after a line that says what is left.
    """
    folders = folders_of(folder)
    if not folders:
        return 1
    found = find_journals(folders)
    for paths in found.empty:
        with contextlib.suppress(OSError):
            if not paths.alive.is_held() and paths.sending.acquire():
                paths.remove()
                paths.sending.release(remove=True)
    if not found.journals:
        notify(f"nothing {'else ' if found.unreadable else ''}is left to send in {folders[0]}")
        return 1 if found.unreadable else 0
    # oldest first: a session's first journal creates it
    sessions: dict[str, list[UnsentJournal]] = {}
    for journal in found.journals:
        sessions.setdefault(journal.header.session, []).append(journal)
    target = resolve()
    if target.api_key is None:
        notify(f"{no_key(target)}; {_count_sessions(len(sessions), 'left')}")
        return 1
    _report_other_addresses(found.journals, target.base_url)
    is_done = _Sync(target, sessions, timing).run()
    return 0 if is_done and not found.unreadable else 1


class _Sync:
    """Sends journals, session by session."""

    def __init__(self, target: Target, sessions: dict[str, list[UnsentJournal]], timing: Timing) -> None:
        self._target, self._sessions, self._timing = target, sessions, timing
        self._progress = _Progress(sum(journal.size for journals in sessions.values() for journal in journals))
        self._sent = 0  # bytes of the journals before the current one
        self._ahead: dict[Paths, int] = {}  # bytes of a journal that were sent and may still be on disk
        self._results: dict[str, SyncResult] = {}

    def run(self) -> bool:
        """Send the journals and report on each session. False if something is left or in quarantine."""
        with self._progress:
            try:
                for session, journals in self._sessions.items():
                    self._results[session] = self._send_session(session, journals)
            except ServerLost as lost:
                problem, is_refused = lost.args
                do = "Start the server, or name another" if is_refused else "Try again later, or name another server"
                todo = f"{do} with LW_BASE_URL or `losswise login URL`; then run this again"
                notify(f"{problem}, so {self._left()}. {todo}" if problem else self._left())
                return False
            except KeyboardInterrupt:
                notify(f"interrupted; {self._left()}. Run this again to send the rest")
                raise
        self._report_all()
        return max(self._results.values()) < SyncResult.BY_OTHERS

    def _send_session(self, session: str, journals: list[UnsentJournal]) -> SyncResult:
        before = self._sent
        result = max(self._send_journal(journal) for journal in journals)
        url = f"{self._target.base_url}/s/{session} ({size_text(self._sent - before)})"
        if result is SyncResult.SENT:
            notify(f"session {session} is sent: {url}")
        if result is SyncResult.SENT_IN_PART:
            notify(f"session {session} is sent, except what is missing, damaged or rejected: {url}; {LISTED}")
        if result is SyncResult.SENT_SO_FAR:
            notify(f"session {session} is sent so far: {url}; {RUNNING}")
        return result

    def _send_journal(self, journal: UnsentJournal) -> SyncResult:
        paths, header = journal.paths, journal.header
        try:
            if not paths.sending.acquire():
                sender = "its own script" if is_alive(paths, header) else "another process"
                notify(f"session {header.session}: {sender} is sending it")
                self._progress.total -= journal.size
                return SyncResult.BY_OTHERS
            try:
                reader, damaged = open_first(paths)
                if damaged:  # look again, since only the disk may have failed
                    reader.close()
                    reader, damaged = open_first(paths)
                with contextlib.closing(reader):
                    return self._send(paths, reader, damaged)
            finally:
                paths.sending.release(remove=True)
        except (FileNotFoundError, IndexError):  # another process has just sent it
            return SyncResult.SENT
        except (Incomplete, OSError, ValueError) as error:
            notify(f"session {header.session}: its journal {paths.segment(1)} cannot be sent ({error})")
            return SyncResult.LEFT

    def _send(self, paths: Paths, reader: JournalReader, damaged: list[Damaged]) -> SyncResult:
        """Send one journal that no other process is sending; `damaged` are the segments before the reader's."""
        session = reader.header.session
        was_alive = is_alive(paths, reader.header)

        def is_dead() -> bool:
            return not (was_alive or is_alive(paths, reader.header))

        client = Client(self._target.base_url, self._target.api_key or "", self._timing.response_timeout)
        uploader = Uploader(reader, client, replay=True, timing=self._timing)
        uploader.skip_damaged(damaged)
        with contextlib.closing(client), watched(uploader.outages, self._timing.silence / 10):
            try:
                step = replay(uploader, reader, is_dead, lambda result: self._goes_on(uploader, result))
            finally:
                self._sent += uploader.freed + uploader.ahead
                self._ahead[paths] = uploader.ahead
            is_server_lost = step.step is Step.RETRY and uploader.outages.is_server_lost()
        if step.step is Step.RETRY:
            problem = uploader.outages.problem
            if is_server_lost:
                raise ServerLost(problem, step.refused)
            notify(f"session {session} is left{': ' if problem else ''}{problem}")
            return SyncResult.LEFT
        result = SyncResult.SENT_IN_PART if uploader.quarantine.is_used else SyncResult.SENT
        if step.step is Step.DELETED:
            result = SyncResult.DELETED
        elif not is_dead():
            if uploader.quarantine.is_used:
                notify(f"session {session}: {RUNNING}")
                return SyncResult.SENT_IN_PART
            return SyncResult.SENT_SO_FAR
        elif not reader.is_at_end():
            notify(f"session {session} is left: its journal {reader.path} could not be read to its end")
            return SyncResult.LEFT
        elif torn := reader.torn():
            notify(f"session {session}: an incomplete last record of {torn} bytes is dropped; its process was killed")
        reader.close()
        uploader.quarantine.close()
        paths.remove()
        return result

    def _goes_on(self, uploader: Uploader, result: StepResult | None) -> bool:
        self._progress.show(self._sent + uploader.freed + uploader.ahead)
        return pause_after(result, uploader.outages, self._timing)

    # what is printed at the end

    def _left(self) -> str:
        """As in "2 sessions are left (1.2 MiB)"."""
        left = [session for session in self._sessions if self._results.get(session) in (None, SyncResult.LEFT)]
        size = 0
        for journal in (journal for session in left for journal in self._sessions[session]):
            with contextlib.suppress(OSError):
                size += max(0, journal.paths.size() - self._ahead.get(journal.paths, 0))
        return f"{_count_sessions(len(left), 'left')} ({size_text(size)})"

    def _report_all(self) -> None:
        """Print a summary of several sessions."""
        if len(self._results) == 1:
            return
        of = Counter(self._results.values())
        counts = {
            "sent": of[SyncResult.SENT] + of[SyncResult.SENT_SO_FAR],
            "sent in part": of[SyncResult.SENT_IN_PART],
            "deleted on the server": of[SyncResult.DELETED],
            "being sent by other processes": of[SyncResult.BY_OTHERS],
            "left": of[SyncResult.LEFT],
        }
        first, *others = [(count, what) for what, count in counts.items() if count]
        are = [f"{count} {'is' if count == 1 else 'are'} {what}" for count, what in others]
        notify(", ".join([_count_sessions(*first), *are]))


def _report_other_addresses(journals: list[UnsentJournal], address: str) -> None:
    """Say which sessions were recorded for another server than the one they are sent to."""
    others: dict[str, set[str]] = {}
    for journal in journals:
        if journal.header.base_url != address and journal.state not in (State.BY_SCRIPT, State.BY_OTHERS):
            others.setdefault(journal.header.base_url, set()).add(journal.header.session)
    for recorded, sessions in others.items():
        which = f"session {sessions.pop()} was" if len(sessions) == 1 else f"{len(sessions)} sessions were"
        notify(f"{which} recorded for {recorded}; sending to {address}")


def _count_sessions(count: int, what: str) -> str:
    return f"{count} session is {what}" if count == 1 else f"{count} sessions are {what}"


class _Progress:
    """A progress bar on stderr for `total` bytes. Draws nothing if stderr is not a terminal."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._drawn_at = 0.0
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()

    def show(self, done: int) -> None:
        """Draw that `done` bytes are done, unless the bar was drawn a moment ago."""
        if self._is_shown and time.monotonic() - self._drawn_at > DRAW_INTERVAL_S:
            self._drawn_at = time.monotonic()
            share = min(1.0, done / max(1, self.total))
            bar = ("█" * round(BAR_WIDTH * share)).ljust(BAR_WIDTH, "░")
            _write(f"{CLEAR}sending {bar} {share:4.0%} of {size_text(self.total)}")

    def __enter__(self) -> _Progress:
        messages.line_start = CLEAR if self._is_shown else ""
        self.show(0)
        return self

    def __exit__(self, *error: object) -> None:
        messages.line_start = ""
        if self._is_shown:
            _write(CLEAR)


def _write(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a terminal whose encoding has no such characters
        sys.stderr.write(text)
        sys.stderr.flush()
