"""A response about one session leaves or quarantines that session, and `losswise sync` goes on with the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from losswise_server.db.models import Organization, Project, Session

import losswise
from losswise.cli import main
from losswise.delivery.pacing import Timing
from losswise.delivery.replay import Backfill
from losswise.util.credentials import Target
from tests.client.conftest import record_offline
from tests.client.fake_server import FakeServer, Reply
from tests.support.batches import Writing
from tests.support.database.tables import adding
from tests.support.server import Server

UNKNOWN: Reply = (404, {"error": "there is no such session", "code": "unknown_session"}, {})
BAD: Reply = (422, {"error": "a bad record", "code": "bad_batch"}, {})
MALFORMED: Reply = (400, {"error": "the body is not JSON", "code": "bad_json"}, {})
ANSWERS: dict[str, Reply] = {
    "404": UNKNOWN,
    "413": (413, "<html>too large</html>", {}),
    "422": BAD,
    "422 named": (422, {"error": "no", "code": "bad_batch", "records": [0], "errors": ["no"]}, {}),
    "422 of another kind": (422, {"error": "odd", "code": "odd"}, {}),
    "400": MALFORMED,
    "403": (403, {"error": "not this project", "code": "forbidden"}, {}),
    "500": (500, {"error": "a bug", "code": "server_error"}, {}),
    "200 that stores nothing": (200, {"last": 0}, {}),
}
"""The response to every batch of one session."""


@pytest.mark.parametrize("answer", ANSWERS)
def test_the_others_are_sent(
    recorder: FakeServer,
    journals: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
) -> None:
    recorder.is_healthy = True
    first, odd, last = (record_offline(monkeypatch, 10) for _ in range(3))
    recorder.answer = lambda batch: ANSWERS[answer] if batch["session"] == odd.id else None
    capsys.readouterr()
    assert main(["sync"]) == 1
    assert recorder.applied.keys() == {first.id, last.id}
    assert len(recorder.points("a")) == 20
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "losswise: 2 sessions are sent, 1 is left"
    assert len(recorder.batches) < 60
    [kept] = journals.glob("*.journal")
    assert odd.id in kept.name


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_later_run_sends_the_others_too(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    recorder.is_healthy = True
    first, odd, last = (record_offline(monkeypatch, 10) for _ in range(3))
    recorder.answer = lambda batch: ANSWERS[answer] if batch["session"] == odd.id else None
    Backfill(Target(recorder.url, "k"), threading.Event(), Timing(backfill_pause=0.0)).send_all(journals)
    assert recorder.applied.keys() == {first.id, last.id}
    assert len(recorder.points("a")) == 20


def test_a_server_that_answers_nothing_properly_ends_it(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        record_offline(monkeypatch, 10)
    recorder.answer = lambda batch: (500, {"error": "a bug"}, {})
    capsys.readouterr()
    assert main(["sync"]) == 1
    assert "3 sessions are left" in capsys.readouterr().err
    assert len({batch["session"] for batch in recorder.batches}) == 1


def test_with_a_real_server_a_session_of_another_project_and_a_deleted_one_hold_up_no_other(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_BASE_URL", server.url)
    monkeypatch.setenv("LW_API_KEY", server.api_key)
    first, deleted, last = (record_offline(monkeypatch, 10) for _ in range(3))
    Writing(server, deleted.id)
    assert server.request("DELETE", f"/api/v2/sessions/{deleted.id}").status_code == 200
    foreign = record_offline(monkeypatch, 10)
    with adding(server) as (add, _connection):
        give_away(add, foreign.id)
    capsys.readouterr()
    assert main(["sync"]) == 1
    for session in (first, last):
        assert server.session(session.id)["points"] == 10
    assert capsys.readouterr().err.splitlines()[-1] == (
        "losswise: 2 sessions are sent, 1 is deleted on the server, 1 is left"
    )


def give_away(add: Callable[..., Any], session: str) -> None:
    """Create the session in another organization, whose data the key may not write."""
    organization = add(Organization, name="another", created_at=0.0)
    project = add(Project, organization_id=organization, name="theirs", created_at=0.0)
    add(Session, id=session, project_id=project, tag="theirs", created_at=0.0, updated_at=0.0, last_seen_at=0.0)


def test_the_rest_of_a_session_is_sent_if_one_of_its_journals_is_left(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several processes write one session; the journal of one of them cannot be read."""
    session = record_offline(monkeypatch, 10)
    record_offline(monkeypatch, 10, resume=session.id)
    first = min(journals.glob("*.journal"), key=lambda path: path.stat().st_mtime_ns)
    first.write_bytes(b"\0\n" * 100)
    assert main(["sync"]) == 1
    assert len(recorder.points("a")) == 10
    assert [path.name for path in journals.glob("*.journal")] == [first.name]


def test_a_live_session_whose_description_is_rejected_is_recorded(
    recorder: FakeServer, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(batch: dict[str, Any]) -> Reply | None:
        return BAD if any("params" in record for record in batch["records"]) else None

    recorder.answer = answer
    with losswise.Session("live", params={"lr": 1}, track_git=False, console=False) as session:
        for x in range(5):
            session.graph("loss").append(x, {"a": float(x)})
    assert recorder.points("a") == [(x, float(x)) for x in range(5)]
    assert recorder.records("session")[0]["tag"] == "live"
    assert recorder.records("status")
    assert recorder.refused() == {("session live", "a bad record"): 1}
