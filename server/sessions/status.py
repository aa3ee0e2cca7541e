"""Session status: when a session counts as stale, and how the ends of its writers add up.

A session's row stores its status: active, complete, failed or cancelled, with a reason. A live batch sets it at once.
A session that falls silent is marked by a background task (maintenance/silence.py) within seconds: it gets the status
that its ended writers reported, or cancelled (silent) if none did. Readers take the row as it is.

Replayed records count as received at the times they carry: an offline session that is synced while its script runs is
active until its last record is a minute old.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.sql.elements import ColumnElement

from ..db.models import Session

STALE_AFTER_S = 60.0
# A writer that goes silent within this time of the last end is assumed to have stopped with it: two heartbeats.
STOPPED_TOGETHER_S = 20.0

_receiving_since = time.time()


@dataclass
class WriterState:
    """One writer of a session.

    Attributes:
        started_at: unix seconds, like all times here.
        last_seen_at: when the server last received something from it, its end included; for replayed records, their own
            time.
        status: how it ended; None while it runs, or if it was killed.
        number, first_sequence, trains: see db.models.Writer.
    """

    id: str
    last_seq: int
    started_at: float
    last_seen_at: float
    ended_at: float | None = None
    status: str | None = None
    reason: str | None = None
    number: int = 0
    first_sequence: int = 0
    trains: bool = False

    def lives(self, now: float) -> bool:
        return self.status is None and self.last_seen_at >= stale_before(now)

    def may_record(self, now: float) -> bool:
        """Return whether it sends heartbeats, as far as they can be missed without an outage."""
        return self.status is None and self.last_seen_at >= now - STOPPED_TOGETHER_S


class Ending(NamedTuple):
    """The status that the ended writers report for their session; `last_seen_at` is when the last of them ended."""

    status: str
    reason: str | None
    ended_at: float
    last_seen_at: float


# The columns of a session's row that store its Ending.
ENDING_COLUMNS = ("end_status", "end_reason", "end_at", "end_last_seen_at")


def stale_before(now: float) -> float:
    """A session that was last heard from before this time is stale.

    For the first minute after the server's start, or after an outage of its database, it is minus infinity: the server
    could not receive anything, so silence says nothing about the scripts.
    """
    return now - STALE_AFTER_S if now - _receiving_since > STALE_AFTER_S else float("-inf")


def stale_filter(now: float) -> ColumnElement[bool]:
    """SQL condition: the session is stored as active but stale."""
    columns = Session.__table__.c
    before = max(stale_before(now), -1e18)  # a time that both databases can store
    return (columns.status == "active") & (columns.last_seen_at < before)


def note_outage(at: float) -> None:
    """Restart the clock of silence: at this time the database was down, and nothing could be stored."""
    global _receiving_since
    _receiving_since = max(_receiving_since, at)


def stale_status(row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns `status`, `reason` and `ended_at` of a session that has become stale, from its row."""
    ending_ = Ending(*(row[name] for name in ENDING_COLUMNS)) if row["end_status"] else None
    status, reason, ended_at = settled(ending_, row["last_seen_at"])
    return {"status": status, "reason": reason, "ended_at": ended_at}


def ending(writers: Iterable[WriterState]) -> Ending | None:
    """Combine the ends of a session's writers; None if no writer has ended.

    The last to end decides, except that a failure wins if the failed writer still ran when the last one started. So
    eight processes can share a session, and a run that was killed, resumed and finished is complete.
    """
    ended = [writer for writer in writers if writer.status is not None]
    if not ended:
        return None
    # order by the server's clock: writers on several machines have clocks that differ
    last = max(ended, key=lambda writer: writer.last_seen_at)
    failed = [writer for writer in ended if writer.status == "failed" and (writer.ended_at or 0.0) >= last.started_at]
    decisive = last if last in failed or not failed else failed[-1]
    at = last.last_seen_at if last.ended_at is None else last.ended_at
    return Ending(str(decisive.status), decisive.reason, at, last.last_seen_at)


def settled(end: Ending | None, last_seen_at: float) -> tuple[str, str | None, float]:
    """Return (status, reason, ended_at) of a session without live writers, last heard from at `last_seen_at`.

    A writer that went silent well after the last end ran on alone until it was killed: cancelled.
    """
    if end is None or last_seen_at > end.last_seen_at + STOPPED_TOGETHER_S:
        return "cancelled", "silent", last_seen_at
    return end.status, end.reason, end.ended_at


STATUS_COLUMNS = ("status", "reason", "ended_at", "last_seen_at", *ENDING_COLUMNS)


@dataclass(frozen=True)
class BatchEvent:
    """The facts of a batch that affect the status of its session.

    Attributes:
        writer: its writer, as it is after the batch; None for a v1 client, which has no writers.
        is_replay: the batch comes from a journal and was recorded some time ago.
        was_ended: the writer had ended before this batch: it sends its end again, or something after it.
        has_session: a new session record is in it.
        is_revived: new points or the status "active" are in it: a writer that had ended goes on.
        is_end: the batch ended its writer, and nothing after that revived it.
    """

    writer: WriterState | None
    is_replay: bool = False
    was_ended: bool = False
    has_session: bool = False
    is_revived: bool = False
    is_end: bool = False


def next_status(
    row: Mapping[str, Any], writers: Collection[WriterState], event: BatchEvent, now: float
) -> dict[str, Any]:
    """The values of STATUS_COLUMNS after a batch, from the session's row and its writers.

        batch                           session stored as         becomes
        live, any                       cancelled (silent)        active
        live, of a writer               anything                  active
        live, again of an ended writer  anything                  unchanged
        live, ends its writer           active, others live       active
                                        active, none lives        what the ended writers report
        replayed, any                   active but stale          what the ended writers report
                                        cancelled (silent)        active if its own times are fresh, else
                                                                  what the ended writers report
        of a v1 client                  as its status record set  unchanged, but for silence

    Args:
        writers: the writers of the session after the batch; empty for a v1 client.
        now: unix seconds, by the server's clock.
    """
    columns = {name: row[name] for name in STATUS_COLUMNS}
    active = {"status": "active", "reason": None, "ended_at": None}
    if event.is_replay:
        if columns["status"] == "active" and columns["last_seen_at"] < stale_before(now):
            columns.update(stale_status(columns))
    else:
        is_received = event.is_revived or not event.was_ended
        was_silent = (columns["status"], columns["reason"]) == ("cancelled", "silent")
        if is_received:
            columns["last_seen_at"] = now
        if (is_received or event.has_session) and (event.writer is not None or was_silent):
            columns.update(active)
    if event.writer is None:
        return columns

    end = ending(writers)
    columns.update(zip(ENDING_COLUMNS, end or (None,) * len(ENDING_COLUMNS), strict=True))
    running = [writer for writer in writers if writer.status is None]
    last_seen_at = max((writer.last_seen_at for writer in running), default=columns["last_seen_at"])
    if event.is_replay:
        columns["last_seen_at"] = max(columns["last_seen_at"], last_seen_at)
        is_fresh = any(writer.last_seen_at >= now - STALE_AFTER_S for writer in running)
        if is_fresh and columns["reason"] == "silent":
            columns.update(active)
    if columns["status"] == "active":
        if not event.is_end:
            return columns
        if any(writer.lives(now) for writer in running):
            # staleness counts from the writers that may still run, not from this one
            columns["last_seen_at"] = last_seen_at
            return columns
    elif not event.is_end and not event.is_replay:
        return columns
    if end is not None or columns["reason"] == "silent":  # else a v1 client has reported how it ended
        columns["status"], columns["reason"], columns["ended_at"] = settled(end, columns["last_seen_at"])
    return columns
