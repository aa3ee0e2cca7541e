"""What a session's status is: the one place that decides it.

Stored: active, complete, failed or cancelled, with a reason. A session that is stored as active but has not been
heard from for 60 s is shown as what its ended writers say, or as cancelled (silent) where none did; a sweep writes
that down, so that pages are told. What is replayed is heard at the times that its records carry: an offline session
that is synced while its script runs is active, until its last record is 60 s old. What the ended writers say stands
in the session's row, for lists ask no writers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

SILENT_AFTER = 60.0
WITH_THE_OTHERS = 20.0
"""Who falls silent so soon after the last end went with the others: a heartbeat (10 s), and as much again."""

_listening_since = time.time()


@dataclass
class WriterState:
    """One writer of a session: `status` is None while it lives (or was killed without a word).

    `heard_at` is the server's time when it was last heard, its end included; for what was replayed, its own.
    """

    id: str
    last_seq: int
    started_at: float
    heard_at: float
    ended_at: float | None = None
    status: str | None = None
    reason: str | None = None

    def lives(self, now: float) -> bool:
        return self.status is None and self.heard_at >= silent_before(now)


class Ending(NamedTuple):
    """What the writers that have ended say of their session; `heard_at` is when the last of them did."""

    status: str
    reason: str | None
    ended_at: float
    heard_at: float


ENDING_COLUMNS = ("end_status", "end_reason", "end_at", "end_heard_at")
"""Where a session's row keeps its Ending."""


def silent_before(now: float) -> float:
    """A session last heard from before this time is silent.

    Silence counts from the server's start at the earliest, or from the end of an outage of its database: it was the
    server that did not listen.
    """
    return now - SILENT_AFTER if now - _listening_since > SILENT_AFTER else float("-inf")


def could_not_listen(at: float) -> None:
    """At this time the database was away, and nothing that was sent could be stored."""
    global _listening_since
    _listening_since = max(_listening_since, at)


def shown(row: Any, now: float) -> tuple[str, str | None, float | None]:
    """Status, reason and end of a session's row as they are shown at the time `now`."""
    if row.status == "active" and row.heard_at < silent_before(now):
        end = Ending(*(getattr(row, name) for name in ENDING_COLUMNS)) if row.end_status else None
        return settled(end, row.heard_at)
    return row.status, row.reason, row.ended_at


def ending(writers: Iterable[WriterState]) -> Ending | None:
    """What the last to end said, but failed if one failed that still lived when the last began.

    So eight processes share a session, and a killed run that was resumed and finished is complete.
    """
    ended = [writer for writer in writers if writer.status is not None]
    if not ended:
        return None
    # by when they were heard, not by their own clocks, which may be those of several machines
    last = max(ended, key=lambda writer: writer.heard_at)
    failed = [writer for writer in ended if writer.status == "failed" and (writer.ended_at or 0.0) >= last.started_at]
    decisive = last if last in failed or not failed else failed[-1]
    at = last.heard_at if last.ended_at is None else last.ended_at
    return Ending(str(decisive.status), decisive.reason, at, last.heard_at)


def settled(end: Ending | None, heard_at: float) -> tuple[str, str | None, float]:
    """Status, reason and end of a session of which no writer lives, last heard at `heard_at`.

    A writer that went silent clearly after the last end went on alone until it was killed.
    """
    if end is None or heard_at > end.heard_at + WITH_THE_OTHERS:
        return "cancelled", "silent", heard_at
    return end.status, end.reason, end.ended_at
