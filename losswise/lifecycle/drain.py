"""Block at exit until all journals are delivered or delivery stalls."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence

from losswise.delivery.sender import REFUSED_GRACE_S, Sender
from losswise.recording.journal_writer import JournalWriter
from losswise.util.messages import notify
from losswise.util.paths import sync_command
from losswise.util.polling import wait_until
from losswise.util.units import size_text

WRITE_TIMEOUT_S = 30.0  # how long the disk may take for what is in memory, of all journals together
PROGRESS_AFTER_S = 2.0
PROGRESS_INTERVAL_S = 5.0


def wait_delivered(writers: Sequence[JournalWriter], silence_timeout: float, deadline: float = math.inf) -> None:
    """Wait for the delivery of journals, with messages about the progress and about what is left.

    A server that goes on acknowledging gets all the time it needs, until `deadline` (time.monotonic). Without an
    acknowledgement, give up after `silence_timeout` seconds, or REFUSED_GRACE_S if the server refuses connections.
    """
    started = time.monotonic()
    for writer in writers:
        seconds = max(0.0, min(started + WRITE_TIMEOUT_S, deadline) - time.monotonic())
        if not wait_until(lambda writer=writer: not writer.is_writing(), seconds):  # type: ignore[misc]
            notify("the journal could not be written to its end in time")
    senders = [writer.sender for writer in writers if writer.sender is not None]
    with contextlib.ExitStack() as stack:
        for sender in senders:
            stack.enter_context(sender.waited_for())
        _wait_acknowledged(senders, started, silence_timeout, deadline)
    unsent = [sender for sender in senders if not sender.finished and sender.unsent()]
    if unsent:
        cause = next(filter(None, (sender.outages.cause() for sender in unsent)), "")
        folder = unsent[0].journal.paths.folder
        notify(
            f"{cause}{'; ' if cause else ''}{_sessions(unsent)}: {_size(unsent)} are not sent yet; "
            f"they are kept in {folder}, and `{sync_command(folder)}` sends them"
        )


def _wait_acknowledged(senders: Sequence[Sender], started: float, silence_timeout: float, deadline: float) -> None:
    report_at, reported = started + PROGRESS_AFTER_S, ""
    while left := [sender for sender in senders if sender.is_at_work()]:
        now = time.monotonic()
        silence = now - max(started, *(sender.last_ack_at for sender in senders))
        is_refused = all(sender.refused for sender in left)
        if now > deadline or silence > (min(silence_timeout, REFUSED_GRACE_S) if is_refused else silence_timeout):
            return
        if now > report_at:
            report_at = now + PROGRESS_INTERVAL_S
            for sender in left:
                sender.outages.check_silence()  # the journal writer, which did so, has ended
            unsent = [sender for sender in left if sender.unsent()]
            line = f"sending what is left: {_size(unsent)} of {_sessions(unsent)}"
            if unsent and line != reported:
                notify(line)
                reported = line
        time.sleep(0.005)


def _sessions(senders: Sequence[Sender]) -> str:
    ids = {sender.journal.header.session for sender in senders}
    return f"session {ids.pop()}" if len(ids) == 1 else f"{len(ids)} sessions"


def _size(senders: Sequence[Sender]) -> str:
    return size_text(sum(sender.unsent_size() for sender in senders))
