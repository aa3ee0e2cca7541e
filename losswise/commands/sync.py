"""`losswise sync`: sends the journals that outlived their process, or never had a server."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable
from enum import IntEnum

from losswise.commands.progress import Progress
from losswise.commands.status import Begun, Unreadable, Unsent, folders_of, look
from losswise.delivery.client import Wire
from losswise.delivery.replay import last_word
from losswise.delivery.uploader import Delivery, Outcome, Step
from losswise.journal.liveness import lives
from losswise.journal.paths import Paths
from losswise.journal.reader import Incomplete, Reader
from losswise.settings import Target, resolve
from losswise.util.messages import say
from losswise.util.units import size_text

ATTEMPTS = 4
"""Attempts in a row without an answer after which `sync` gives up on the server."""
PATIENCE = 45.0
"""Seconds in which the server has taken nothing after which no other attempt is begun."""
TELL_AFTER = 5.0
"""Seconds in which the server has taken nothing after which that is told."""


class Fate(IntEnum):
    """What became of a journal; of a session, the greatest of its journals'."""

    SENT = 0
    DELETED = 1
    SENT_SO_FAR = 2
    BY_OTHERS = 3
    SENT_IN_PART = 4
    LEFT = 5


class GivenUp(Exception):
    """The server takes nothing, so that the other sessions need not be tried.

    Attributes:
        problem: a sentence; empty where it was told.
        is_refused: nobody listens there.
    """

    def __init__(self, problem: str, is_refused: bool) -> None:
        super().__init__(problem)
        self.problem, self.is_refused = problem, is_refused


def sync(folder: str | os.PathLike[str] | None = None) -> int:
    """Send every journal in the folder to the address in force.

    Can be run again at any time: what the server has it does not take twice.

    Args:
        folder: of journals; else those that sessions of this user go to.

    Returns:
        The exit status: 0 where nothing is left unsent, 1 too where this call has set something aside.

    Raises:
        KeyboardInterrupt: by Ctrl-C, after a line that says what is left.
    """
    folders = folders_of(folder)
    if not folders:
        return 1
    found = [journal for place in folders for journal in look(place)]
    unreadable = [journal for journal in found if isinstance(journal, Unreadable)]
    # a session's first journal is the one that makes it
    journals = sorted((journal for journal in found if isinstance(journal, Unsent)), key=_created_at)
    for file in unreadable:
        say(f"{file.path} cannot be read: {file.problem}")
    for begun in found:
        if isinstance(begun, Begun):
            _clear_away(begun.paths)
    if not journals:
        say(f"nothing {'else ' if unreadable else ''}is left to send in {folders[0]}")
        return 1 if unreadable else 0
    target = resolve()
    if target.api_key is None:
        left = _are(len(_sessions(journals)), "left")
        say(f"no API key for {target.base_url}, so {left}: `losswise login {target.base_url}`, or set LW_API_KEY")
        return 1
    _tell_other_addresses(journals, target.base_url)
    is_done = _Sync(target, journals).run()
    return 0 if is_done and not unreadable else 1


class _Sync:
    """One walk through the journals, session by session.

    Args:
        target: where to.
        journals: oldest first.
    """

    def __init__(self, target: Target, journals: list[Unsent]) -> None:
        self._target = target
        self._sessions = _sessions(journals)
        self._progress = Progress(sum(journal.size for journal in journals))
        self._silence = _Silence(target.base_url)
        self._size = 0  # bytes sent of the session which is sent
        self._fates: dict[str, Fate] = {}
        self._ahead = 0  # bytes that the server has of the journal which is sent, though they stand on the disk

    def run(self) -> bool:
        """Send them and tell of each. True: nothing is left unsent, or was set aside."""
        with self._progress, self._silence:
            try:
                for session, journals in self._sessions.items():
                    self._fates[session] = self._send_session(session, journals)
            except GivenUp as lost:
                self._tell_left(lost)
                return False
            except KeyboardInterrupt:
                say(f"interrupted; {self._left()}. Run this again to send the rest")
                raise
        self._tell_all()
        return max(self._fates.values()) < Fate.BY_OTHERS

    def _send_session(self, session: str, journals: list[Unsent]) -> Fate:
        self._size = 0
        fate = max(self._send_journal(journal) for journal in journals)
        url = f"{self._target.base_url}/s/{session} ({size_text(self._size)})"
        if fate is Fate.SENT:
            say(f"session {session} is sent: {url}")
        if fate is Fate.SENT_IN_PART:
            say(f"session {session} is sent, but for what is missing, damaged or refused: {url}")
        if fate is Fate.SENT_SO_FAR:
            say(f"session {session} is sent up to now: {url}; its script goes on, so run this again later")
        return fate

    def _send_journal(self, journal: Unsent) -> Fate:
        paths, header = journal.paths, journal.header
        try:
            if not paths.sending.acquire():
                who = "its own script" if lives(paths, header) else "another process"
                say(f"session {header.session}: {who} is sending it")
                self._progress.advance(journal.size)
                return Fate.BY_OTHERS
            try:
                return self._send(paths, Reader(paths.segments()[0]))
            finally:
                paths.sending.release(remove=True)
        except (FileNotFoundError, IndexError):  # sent by somebody else in this moment
            return Fate.SENT
        except (Incomplete, OSError, ValueError) as error:
            say(f"session {header.session}: its journal {paths.segment(1)} cannot be sent ({error})")
            return Fate.LEFT

    def _send(self, paths: Paths, reader: Reader) -> Fate:
        """Send one journal, which nobody else sends."""
        session = reader.header.session
        was_alive = lives(paths, reader.header)
        wire = Wire(self._target.base_url, self._target.api_key or "")
        delivery = Delivery(reader, wire, replay=True)
        try:
            outcome = self._deliver(delivery, reader)
            torn, is_at_end = reader.torn(), reader.is_at_end()
            if outcome.step is Step.IDLE and is_at_end and not (was_alive or lives(paths, reader.header)):
                delivery.add(last_word(reader))
                outcome = self._deliver(delivery, reader)
        finally:
            reader.close()
            wire.close()
            self._ahead = delivery.ahead
        if delivery.deleted:
            paths.remove()
            return Fate.DELETED
        if outcome.step is not Step.IDLE:
            if delivery.is_server_lost:
                raise GivenUp(delivery.problem, outcome.refused)
            say(f"session {session} is left{': ' if delivery.problem else ''}{delivery.problem}")
            return Fate.LEFT
        if was_alive or lives(paths, reader.header):
            self._ahead = 0
            if delivery.aside.is_used:
                say(f"session {session}: its script goes on, so run this again later")
                return Fate.SENT_IN_PART
            return Fate.SENT_SO_FAR
        if not is_at_end:
            say(f"session {session} is left: its journal {reader.path} could not be read to its end")
            return Fate.LEFT
        self._ahead = 0
        if torn:
            say(f"session {session}: {torn} bytes are dropped, half a line written as its process died")
        paths.remove()
        return Fate.SENT_IN_PART if delivery.aside.is_used else Fate.SENT

    def _deliver(self, delivery: Delivery, reader: Reader) -> Outcome:
        """Send until nothing is left (IDLE), nothing will be taken (STOPPED), or it has no sense to wait (RETRY)."""
        self._silence.watch(delivery)
        while True:
            before = reader.done + delivery.freed_images
            outcome = delivery.step()
            done = reader.done + delivery.freed_images - before
            self._size += done
            self._progress.advance(done)
            if outcome.step is Step.SENT:
                self._silence.heard()
            elif outcome.step is not Step.RETRY or self._is_hopeless(delivery, outcome):
                return outcome
            else:
                time.sleep(outcome.pause)

    def _is_hopeless(self, delivery: Delivery, outcome: Outcome) -> bool:
        if outcome.refused or (delivery.failures >= ATTEMPTS and not outcome.wished):
            return True
        return time.monotonic() - self._silence.heard_at + outcome.pause > PATIENCE

    # what is told at the end

    def _tell_left(self, lost: GivenUp) -> None:
        if not lost.problem:
            say(self._left())
            return
        do = "Start the server, or name another" if lost.is_refused else "Try again later, or name another server"
        say(f"{lost.problem}, so {self._left()}. {do} with LW_BASE_URL or `losswise login URL`; then run this again")

    def _left(self) -> str:
        """As in "2 sessions are left (1.2 MiB)"."""
        left = [session for session in self._sessions if self._fates.get(session, Fate.LEFT) is Fate.LEFT]
        size = sum(_size(journal.paths) for session in left for journal in self._sessions[session])
        return f"{_are(len(left), 'left')} ({size_text(max(0, size - self._ahead))})"

    def _tell_all(self) -> None:
        """A sum, where there is something to add up."""
        if len(self._fates) == 1:
            return
        of = Counter(self._fates.values())
        counts = {
            "sent": of[Fate.SENT] + of[Fate.SENT_SO_FAR],
            "sent in part": of[Fate.SENT_IN_PART],
            "deleted on the server": of[Fate.DELETED],
            "being sent by other processes": of[Fate.BY_OTHERS],
            "left": of[Fate.LEFT],
        }
        first, *others = [(count, what) for what, count in counts.items() if count]
        say(", ".join([_are(*first), *(f"{count} {'is' if count == 1 else 'are'} {what}" for count, what in others)]))


class _Silence:
    """Says so, each time once, when a server has taken nothing for a while, and when that is over.

    Attributes:
        heard_at: when it last took something, or was asked first (time.monotonic).
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._delivery: Delivery | None = None
        self._timer: threading.Timer | None = None
        self._is_told = False
        self.heard_at = time.monotonic()

    def __enter__(self) -> _Silence:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def watch(self, delivery: Delivery) -> None:
        """From here on this one asks the server."""
        self._delivery = delivery
        self._restart()

    def heard(self) -> None:
        if self._is_told:
            self._is_told = False
            say(f"{self._address} answers again")
        self._restart()

    def _restart(self) -> None:
        self._stop()
        self.heard_at = time.monotonic()
        self._timer = threading.Timer(TELL_AFTER, self._tell)
        self._timer.daemon = True
        self._timer.start()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        self._is_told = True
        problem = self._delivery.problem if self._delivery is not None and self._delivery.failures else ""
        say(f"{problem or f'{self._address} does not answer yet'}; trying on, for up to a minute")


def _created_at(journal: Unsent) -> float:
    created_at = journal.header.created_at
    return created_at if isinstance(created_at, (int, float)) else 0.0


def _clear_away(paths: Paths) -> None:
    """Of a writer that died before it had written anything."""
    with contextlib.suppress(OSError):
        if not paths.alive.is_held() and paths.sending.acquire():
            paths.remove()
            paths.sending.release(remove=True)


def _sessions(journals: Iterable[Unsent]) -> dict[str, list[Unsent]]:
    """The journals by their session, in the order of the sessions' first ones."""
    sessions: dict[str, list[Unsent]] = {}
    for journal in journals:
        sessions.setdefault(journal.header.session, []).append(journal)
    return sessions


def _tell_other_addresses(journals: list[Unsent], address: str) -> None:
    """A person may not expect that the address in force counts, and not the one that was recorded for."""
    others: dict[str, set[str]] = {}
    for journal in journals:
        if journal.header.base_url != address and not journal.state.is_being_sent:
            others.setdefault(journal.header.base_url, set()).add(journal.header.session)
    for recorded, sessions in others.items():
        which = f"session {sessions.pop()} was" if len(sessions) == 1 else f"{len(sessions)} sessions were"
        say(f"{which} recorded for {recorded}; sending to {address}")


def _are(count: int, what: str) -> str:
    return f"{count} session is {what}" if count == 1 else f"{count} sessions are {what}"


def _size(paths: Paths) -> int:
    try:
        return paths.size()
    except OSError:
        return 0
