"""Session status: active, complete, failed or cancelled, depending on its writers."""

from __future__ import annotations

import sqlite3
import time

import pytest
from losswise_server.db import outages
from losswise_server.maintenance import silence
from losswise_server.sessions import status
from losswise_server.sessions.status import WriterState, ending, settled

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server


def writer(name: str, started: float, heard: float, status: str | None = None) -> WriterState:
    return WriterState(name, 1, started, heard, None if status is None else heard, status, None)


def settle(*writers: WriterState) -> str:
    """The status of a session whose writers have all ended or gone silent."""
    return settled(ending(writers), max(writer.last_seen_at for writer in writers))[0]


def test_one_writer_decides() -> None:
    for said in ("complete", "failed", "cancelled"):
        assert settle(writer("a", 0, 10, said)) == said


def test_failed_if_a_writer_failed_while_the_last_one_ran() -> None:
    assert settle(writer("a", 0, 10, "failed"), writer("b", 0, 12, "complete")) == "failed"


def test_a_failure_before_the_last_writer_started_does_not_count() -> None:
    assert settle(writer("a", 0, 10, "failed"), writer("b", 20, 30, "complete")) == "complete"


def test_a_killed_run_that_was_resumed_and_finished_is_complete() -> None:
    assert settle(writer("a", 0, 10), writer("b", 100, 130, "complete")) == "complete"


def test_the_last_to_end_is_decided_by_the_servers_clock() -> None:
    ahead = WriterState("a", 1, 0, 10, 3_600, "failed", "error")
    assert settle(ahead, writer("b", 20, 30, "cancelled")) == "failed"  # by its clock it ran together with the last one
    ahead.status = "complete"
    assert settle(ahead, writer("b", 20, 30, "cancelled")) == "cancelled"


def test_silence_counts_from_the_end_of_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "_receiving_since", time.time() - 1_000)

    def away(now: float) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    assert status.stale_before(time.time()) > 0
    monkeypatch.setattr(silence, "mark_stale", away)
    with pytest.raises(sqlite3.OperationalError) as error:
        silence.mark_stale_task.work()
    assert outages.describe_outage(error.value)
    assert status.stale_before(time.time()) == float("-inf")
    assert status.stale_before(time.time() + status.STALE_AFTER_S + 1) > 0


def test_a_writer_that_goes_silent_with_the_others_stopped_with_them() -> None:
    assert settle(writer("a", 0, 10, "complete"), writer("b", 0, 25)) == "complete"
    assert settle(writer("a", 0, 10, "complete"), writer("b", 0, 1_000)) == "cancelled"


def test_two_processes_share_a_session(server: Server) -> None:
    first = Writing(server)
    second = Writing(server, first.session)
    first.end("failed", reason="error")
    assert first.row()["status"] == "active"
    second.end("complete")
    assert first.row()["status"] == "failed"


def test_points_of_a_live_writer_reactivate_an_ended_session(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.end()
    run.points(graph, [1], a=[1.0])
    assert run.row()["status"] == "active"
    run.end("cancelled", reason="interrupted")
    row = run.row()
    assert (row["status"], row["reason"]) == ("cancelled", "interrupted")
    assert row["ended_at"] is not None


def test_a_resumed_session_is_active_again(server: Server) -> None:
    run = Writing(server)
    run.end("failed", reason="error")
    time.sleep(0.01)
    resumed = Writing(server, run.session)
    assert run.row()["status"] == "active"
    resumed.end()
    assert run.row()["status"] == "complete"


def test_a_replay_does_not_reactivate_a_session(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.end("complete")
    left_over = records.new_id()
    batch = [records.points_record(graph, [7], [time.time() - 500], {"a": [1.0]})]
    server.post_batch(run.session, batch, writer=left_over, seq=1, replay=True)
    assert run.row()["status"] == "complete"
    old = [records.status_record("failed", time.time() - 400, reason="error")]
    server.post_batch(run.session, old, writer=left_over, seq=2, replay=True)
    assert run.row()["status"] == "complete"


def replay_an_hour_later(server: Server) -> tuple[str, str, str]:
    """Send the first point of an offline session; returns the session, its writer and its graph."""
    session, writer_id = records.new_id(), records.new_id()
    graph = records.graph_id(session, "loss")
    batch = [
        records.session_record(tag="offline", created_at=time.time() - 3600),
        records.graph_record(graph, "loss"),
        records.points_record(graph, [0], [time.time() - 3500], {"a": [1.0]}),
    ]
    server.post_batch(session, batch, writer=writer_id, seq=3, replay=True)
    return session, writer_id, graph


def test_a_replayed_session_has_the_status_of_its_journal(server: Server) -> None:
    session, writer_id, _graph = replay_an_hour_later(server)
    row = server.session(session)
    assert (row["status"], row["reason"]) == ("cancelled", "silent")
    end = [records.status_record("complete", time.time() - 3400)]
    server.post_batch(session, end, writer=writer_id, seq=4, replay=True)
    row = server.session(session)
    assert (row["status"], row["reason"]) == ("complete", None)
    assert row["ended_at"] < time.time() - 3000


def test_a_heartbeat_updates_heard_at(server: Server) -> None:
    run = Writing(server)
    before = run.row()
    time.sleep(0.05)
    answer = server.post_batch(run.session, [], writer=run.writer)
    assert answer.json() == {"last": run.seq}
    after = run.row()
    assert after["heard_at"] > before["heard_at"]
    assert after["version"] == before["version"]


def test_an_offline_session_that_is_synced_while_it_runs_is_active(server: Server) -> None:
    session, writer_id, graph = replay_an_hour_later(server)
    assert server.session(session)["reason"] == "silent"
    last = time.time() - 1
    batch = [records.points_record(graph, [1], [last], {"a": [1.0]})]
    server.post_batch(session, batch, writer=writer_id, seq=4, replay=True)
    row = server.session(session)
    assert (row["status"], row["reason"], row["ended_at"], row["heard_at"]) == ("active", None, None, last)
    end = [records.status_record("failed", time.time(), reason="error", error={"type": "E", "message": "bad" * 200})]
    server.post_batch(session, end, writer=writer_id, seq=5, replay=True)
    row = server.session(session)
    assert (row["status"], row["reason"]) == ("failed", "error")
    assert row["failure"] == "E: " + ("bad" * 200)[:296] + "…"
