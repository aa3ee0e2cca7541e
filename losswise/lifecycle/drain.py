"""Waiting at the end until the journals are with the server, as long as that has sense."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from losswise.delivery.sender import REFUSED
from losswise.util.messages import say
from losswise.util.paths import sync_command
from losswise.util.polling import wait_until
from losswise.util.units import size_text

if TYPE_CHECKING:
    from losswise.delivery.sender import Sender
    from losswise.recording.journal_writer import Scribe

WRITING = 30.0
"""Seconds that the local disk gets for what is in memory, of all journals together."""
TELL_AFTER = 2.0
TELL_EACH = 5.0


def wait_delivered(scribes: Sequence[Scribe], silent: float, most: float = float("inf")) -> None:
    """Wait for the delivery of journals that have ended, with progress, and say what is left.

    A server that goes on acknowledging gets all the time it needs.

    Args:
        scribes: that write them.
        silent: seconds without an acknowledgement of any after which to give up; 2 at most where the last
            attempts were refused.
        most: seconds in all.
    """
    started = time.monotonic()
    for scribe in scribes:
        seconds = max(0.0, started + min(WRITING, most) - time.monotonic())
        if not wait_until(lambda scribe=scribe: not scribe.is_writing(), seconds):  # type: ignore[misc]
            say("the journal could not be written to its end in time")
    senders = [scribe.sender for scribe in scribes if scribe.sender is not None]
    with contextlib.ExitStack() as stack:
        for sender in senders:
            stack.enter_context(sender.waited_for())
        _wait(senders, started, silent, most)
    _tell_what_is_left([sender for sender in senders if not sender.finished and not sender.deleted])


def _wait(senders: Sequence[Sender], started: float, silent: float, most: float) -> None:
    tell_at, told = started + TELL_AFTER, ""
    while left := [sender for sender in senders if sender.is_at_work()]:
        now = time.monotonic()
        silence = now - max(started, *(sender.heard_at for sender in senders))
        patience = min(silent, REFUSED) if all(sender.refused for sender in left) else silent
        if silence > patience or now - started > most:
            return
        if now > tell_at:
            tell_at = now + TELL_EACH
            told = _tell_progress([sender for sender in left if sender.unsent()], told)
        time.sleep(0.005)


def _tell_progress(unsent: Sequence[Sender], told: str) -> str:
    """Say what is left, unless it is what was said before; what was said last."""
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
