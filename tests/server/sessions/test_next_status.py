"""What a batch makes of the status of its session: the pure function, case by case."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from losswise_server.sessions import status
from losswise_server.sessions.status import STATUS_COLUMNS, BatchEvent, WriterState, next_status

NOW = 10_000.0


class Stored(NamedTuple):
    """A session's row before the batch."""

    status: str = "active"
    reason: str | None = None
    ended_at: float | None = None
    last_seen_at: float = NOW - 10


ACTIVE = Stored()
STALE = Stored(last_seen_at=NOW - 100)
SILENT = Stored("cancelled", "silent", NOW - 500, NOW - 500)
FAILED = Stored("failed", "error", NOW - 500, NOW - 500)


def writer(name: str, seen: float = 0.0, status: str | None = None) -> WriterState:
    """A writer that was last seen so many seconds ago."""
    at = NOW - seen
    return WriterState(name, 1, NOW - 1_000, at, None if status is None else at, status, None)


LIVE, KILLED, OTHER = writer("a"), writer("b", 200.0), writer("b", 30.0)
DONE, OFFLINE, OLD = writer("a", 0.0, "complete"), writer("a", 30.0), writer("a", 200.0)


@pytest.mark.parametrize(
    ("stored", "event", "others", "status_", "seen"),
    [
        # a live batch: the session lives
        (ACTIVE, BatchEvent(LIVE), [], "active", 0),
        (STALE, BatchEvent(LIVE), [], "active", 0),
        (SILENT, BatchEvent(LIVE), [], "active", 0),
        (FAILED, BatchEvent(LIVE), [], "active", 0),
        # the resend of an end brings nothing back; what a writer says after its end does
        (FAILED, BatchEvent(DONE, was_ended=True), [], "failed (error)", 500),
        (SILENT, BatchEvent(DONE, was_ended=True), [], "cancelled (silent)", 500),
        (FAILED, BatchEvent(DONE, was_ended=True, has_session=True), [], "active", 500),
        (FAILED, BatchEvent(LIVE, was_ended=True, is_revived=True), [], "active", 0),
        # an end: the last writer that lives decides
        (ACTIVE, BatchEvent(DONE, is_end=True), [], "complete", 0),
        (ACTIVE, BatchEvent(DONE, is_end=True), [KILLED], "complete", 0),
        (ACTIVE, BatchEvent(DONE, is_end=True), [OTHER], "active", 30),
        (SILENT, BatchEvent(DONE, is_end=True), [], "complete", 0),
        # a replay: its own times count
        (ACTIVE, BatchEvent(OLD, is_replay=True), [], "active", 10),
        (STALE, BatchEvent(OLD, is_replay=True), [], "cancelled (silent)", 100),
        (SILENT, BatchEvent(OLD, is_replay=True), [], "cancelled (silent)", 200),
        (SILENT, BatchEvent(OFFLINE, is_replay=True), [], "active", 30),
        (SILENT, BatchEvent(DONE, is_replay=True, is_end=True), [], "complete", 500),
        (FAILED, BatchEvent(OFFLINE, is_replay=True), [], "failed (error)", 30),
        # a v1 client has no writers: only silence is lifted
        (ACTIVE, BatchEvent(None), [], "active", 0),
        (SILENT, BatchEvent(None), [], "active", 0),
        (FAILED, BatchEvent(None), [], "failed (error)", 0),
    ],
)
def test_the_status_after_a_batch(
    stored: Stored,
    event: BatchEvent,
    others: list[WriterState],
    status_: str,
    seen: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(status, "_receiving_since", 0.0)
    writers = [*([event.writer] if event.writer else []), *others]
    row: dict[str, Any] = {**dict.fromkeys(STATUS_COLUMNS), **stored._asdict()}
    before = dict(row)
    found = next_status(row, writers, event, NOW)
    shown = found["status"] if found["reason"] is None else f"{found['status']} ({found['reason']})"
    assert (shown, NOW - found["last_seen_at"]) == (status_, seen)
    assert (found["ended_at"] is None) is (found["status"] == "active")
    assert set(found) == set(STATUS_COLUMNS)
    assert row == before  # nothing is changed in place
    if event.writer is not None:
        assert (found["end_status"] is not None) is any(known.status for known in writers)
