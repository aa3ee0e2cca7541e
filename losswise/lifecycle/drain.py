"""Block at exit until all journals are delivered or delivery stalls."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from losswise.delivery.sender import REFUSED_GRACE_S
from losswise.util.messages import say
from losswise.util.paths import sync_command
from losswise.util.polling import wait_until
from losswise.util.units import size_text

if TYPE_CHECKING:
    from losswise.delivery.sender import Sender
    from losswise.recording.recorder import EndedJournal

WRITE_TIMEOUT_S = 30.0
"""How long the local disk may take for what is in memory, of all journals together."""
PROGRESS_AFTER_S = 2.0
PROGRESS_INTERVAL_S = 5.0


def wait_delivered(journals: Sequence[EndedJournal], silent: float, most: float = float("inf")) -> None:
    """Wait for the delivery of journals, report progress, and say what is left.

    A server that goes on acknowledging gets all the time it needs.

    Args:
        journals: to which nothing is added any more.
        silent: seconds without an acknowledgement of any journal after which to give up. If the server refuses
            connections, at most REFUSED_GRACE_S.
        most: seconds in all.
    """
    started = time.monotonic()
    for writer, _sender in journals:
        seconds = max(0.0, started + min(WRITE_TIMEOUT_S, most) - time.monotonic())
        if not wait_until(lambda writer=writer: not writer.is_writing(), seconds):  # type: ignore[misc]
            say("the journal could not be written to its end in time")
    senders = [sender for _writer, sender in journals if sender is not None]
    with contextlib.ExitStack() as stack:
        for sender in senders:
            stack.enter_context(sender.waited_for())
        _wait(senders, started, silent, most)
    _tell_what_is_left([sender for sender in senders if not sender.finished and not sender.deleted])


def _wait(senders: Sequence[Sender], started: float, silent: float, most: float) -> None:
    tell_at, told = started + PROGRESS_AFTER_S, ""
    while left := [sender for sender in senders if sender.is_at_work()]:
        now = time.monotonic()
        silence = now - max(started, *(sender.last_ack_at for sender in senders))
        patience = min(silent, REFUSED_GRACE_S) if all(sender.refused for sender in left) else silent
        if silence > patience or now - started > most:
            return
        if now > tell_at:
            tell_at = now + PROGRESS_INTERVAL_S
            told = _tell_progress([sender for sender in left if sender.unsent()], told)
        time.sleep(0.005)


def _tell_progress(unsent: Sequence[Sender], told: str) -> str:
    """Report what is left unless it has not changed since `told`. Returns the line reported last."""
    line = f"sending what is left: {_size(unsent)} of {_sessions(unsent)}" if unsent else told
    if line != told:
        say(line)
    return line


def _tell_what_is_left(senders: Sequence[Sender]) -> None:
    unsent = [sender for sender in senders if sender.unsent()]
    if unsent:
        cause = next(filter(None, (sender.cause() for sender in unsent)), "")
        folder = unsent[0].folder
        say(
            f"{cause}{'; ' if cause else ''}{_sessions(unsent)}: {_size(unsent)} are not sent yet; "
            f"they are kept in {folder}, and `{sync_command(folder)}` sends them"
        )


def _sessions(senders: Sequence[Sender]) -> str:
    ids = {sender.header.session for sender in senders}
    return f"session {ids.pop()}" if len(ids) == 1 else f"{len(ids)} sessions"


def _size(senders: Sequence[Sender]) -> str:
    return size_text(sum(sender.unsent_size() for sender in senders))
