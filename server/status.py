"""What a session's status is: the one place that decides it.

Stored: active, complete, failed or cancelled, with a reason. A session that is stored as active but has not been
heard from for 60 s is shown as cancelled (silent); a sweep writes that down, so that pages are told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

SILENT_AFTER = 60.0
STARTED_AT = time.time()
"""Silence counts from the server's start at the earliest: it was the server that did not listen."""


@dataclass
class WriterState:
    """One writer of a session: `status` is None while it lives (or was killed without a word)."""

    id: str
    last_seq: int
    started_at: float
    heard_at: float
    ended_at: float | None = None
    status: str | None = None
    reason: str | None = None

    def lives(self, now: float) -> bool:
        return self.status is None and now - self.heard_at <= SILENT_AFTER


def silent_before(now: float) -> float:
    """A session last heard from before this time is silent."""
    return now - SILENT_AFTER if now - STARTED_AT > SILENT_AFTER else float("-inf")


def shown(status: str, reason: str | None, heard_at: float, now: float) -> tuple[str, str | None]:
    """Status and reason as they are shown at the time `now`."""
    if status == "active" and heard_at < silent_before(now):
        return "cancelled", "silent"
    return status, reason


def settle(writers: Iterable[WriterState], now: float) -> tuple[str, str | None, float | None]:
    """Status, reason and end of a session whose writer has just ended.

    Active while another writer lives; else what the last to end said, but failed if one failed that still lived
    when the last began. So eight processes share a session, and a killed run that was resumed and finished is
    complete.
    """
    writers = list(writers)
    if any(writer.lives(now) for writer in writers):
        return "active", None, None
    ended = [writer for writer in writers if writer.status is not None]
    if not ended:
        return "active", None, None
    last = max(ended, key=lambda writer: writer.ended_at or 0.0)
    failed = [writer for writer in ended if writer.status == "failed" and (writer.ended_at or 0.0) >= last.started_at]
    decisive = last if last in failed or not failed else failed[-1]
    return str(decisive.status), decisive.reason, last.ended_at
