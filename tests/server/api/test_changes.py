"""GET /api/v2/sessions/changes: what has changed in the list, for a query and a status."""

from __future__ import annotations

import time
from typing import Any

import pytest

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server


@pytest.fixture
def project(server: Server) -> str:
    return f"changes {records.new_id()}"


def changes(server: Server, project: str, since: str, **asked: Any) -> Any:
    return server.get("/api/v2/sessions/changes", project=project, since=since, **asked)


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


def test_the_list_says_where_its_changes_begin(server: Server, project: str) -> None:
    first = Writing(server, project=project, tag="first")
    page = server.get("/api/v2/sessions", project=project)
    assert changes(server, project, page["cursor"]) == {
        "cursor": changes(server, project, page["cursor"])["cursor"],
        "sessions": [],
        "new": [],
        "gone": [],
        "removed": [],
    }
    second = Writing(server, project=project, tag="second")
    first.points(first.graph(), [0], loss=[1.0])
    Writing(server, project=f"another {project}")
    answer = changes(server, project, page["cursor"])
    assert ids(answer["sessions"]) == [second.session, first.session]
    assert answer["new"] == [second.session]
    assert answer["gone"] == []
    listed = server.get("/api/v2/sessions", project=project)
    assert {row["id"]: row for row in listed["sessions"]} == {row["id"]: row for row in answer["sessions"]}
    assert changes(server, project, answer["cursor"])["sessions"] == []
    assert server.get("/api/v2/sessions/changes", project=project).keys() == {"cursor"}


def test_sessions_begin_to_match_and_cease_to(server: Server, project: str) -> None:
    runs = {tag: Writing(server, project=project, tag=tag, params={"lr": 0.1}) for tag in ("one", "two", "other")}
    runs["late"] = Writing(server, project=project, tag="late", params={"lr": 0.5})
    asked = {"q": "lr<0.3 not other", "status": "active"}
    since = server.get("/api/v2/sessions", project=project, **asked)["cursor"]
    runs["one"].end("failed")
    runs["other"].graph()
    runs["two"].graph()
    runs["late"].send(records.session_record(params={"lr": 0.2}))
    answer = changes(server, project, since, **asked)
    assert ids(answer["sessions"]) == [runs["two"].session, runs["late"].session]
    assert sorted(answer["gone"]) == sorted([runs["one"].session, runs["other"].session])
    assert answer["removed"] == []
    assert answer["new"] == []
    assert server.request("DELETE", f"/api/v2/sessions/{runs['two'].session}").ok
    answer = changes(server, project, answer["cursor"], **asked)
    assert (answer["sessions"], answer["gone"]) == ([], [runs["two"].session])
    assert answer["removed"] == answer["gone"]


def test_an_earlier_run_and_one_of_another_clock_are_new(server: Server, project: str) -> None:
    now = time.time()
    Writing(server, project=project, tag="here")
    since = server.get("/api/v2/sessions", project=project)["cursor"]
    ahead = Writing(server, project=project, created_at=now + 3_600)
    behind = Writing(server, project=project, created_at=now - 3_600)
    old = records.new_id()
    record = records.session_record(tag="old", created_at=now - 90 * 86_400, project=project)
    assert server.post_batch(old, [record], writer=records.new_id(), seq=1, replay=True).ok
    answer = changes(server, project, since)
    assert answer["new"] == ids(answer["sessions"]) == [ahead.session, behind.session, old]


def test_what_is_refused(server: Server, project: str) -> None:
    Writing(server, project=project)
    address, asked = "/api/v2/sessions/changes", {"project": project}
    cursor = server.get(address, **asked)["cursor"]
    assert server.request("GET", address, key="wrong").status_code == 401
    assert server.request("GET", address, params={"project": "nowhere"}).status_code == 404
    for wrong in ({"since": "x"}, {"since": cursor[:-9]}, {"since": "W10"}, {"status": "done"}):
        answer = server.request("GET", address, params={**asked, **wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), wrong
    answer = server.request("GET", address, params={**asked, "since": cursor, "q": "lr=("})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
