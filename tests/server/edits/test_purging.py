"""Deleting for good what is in the bin."""

from __future__ import annotations

from losswise_server.db.session_tables import SESSION_TABLES

from tests.support.batches import Writing
from tests.support.database.rows import has_rows, key_of
from tests.support.editing import edit, post
from tests.support.server import Server, eventually

NOT_IN_BIN = "only sessions in the bin are deleted for good"


def test_only_what_is_in_the_bin_is_deleted_for_good(server: Server) -> None:
    binned, current, archived = (Writing(server) for _ in range(3))
    binned.points(binned.graph(), [0], a=[1.0])
    edit(server, binned.session, deleted=True)
    edit(server, archived.session, archived=True)
    key = key_of(server, binned.session)
    named = [run.session for run in (binned, current, archived)]
    answer = post(server, "/sessions/purge", {"sessions": named})
    assert answer.json() == {"deleted": 1, "skipped": [{"reason": NOT_IN_BIN, "sessions": 2}]}
    assert server.request("GET", f"/api/v2/sessions/{binned.session}").status_code == 404
    for run in (current, archived):
        assert run.row()["id"] == run.session
    sent = server.post_batch(binned.session, [], writer=binned.writer, seq=binned.seq)
    assert (sent.status_code, sent.json()["code"]) == (410, "deleted_session")
    eventually(lambda: not any(has_rows(server, table.name, key) for table in SESSION_TABLES))
    assert post(server, "/sessions/purge", {"sessions": [binned.session]}).status_code == 404
    answer = post(server, "/sessions/purge", {"sessions": [current.session]})
    assert answer.json() == {"deleted": 0, "skipped": [{"reason": NOT_IN_BIN, "sessions": 1}]}


def test_the_bin_of_a_project_is_emptied(server: Server) -> None:
    runs = [Writing(server, project="emptied", tag=f"run {number}") for number in range(4)]
    edit(server, *(run.session for run in runs[:3]), deleted=True)
    matching = {"project_id": server.project_id("emptied"), "in": "bin", "except": [runs[0].session]}
    for place in ({}, {"in": "archive"}):
        body = {"matching": {"project_id": matching["project_id"], **place}}
        answer = post(server, "/sessions/purge", body)
        assert (answer.status_code, answer.json()["error"]) == (400, f"{NOT_IN_BIN}: 'in' must be bin")
    assert post(server, "/sessions/purge", {"matching": matching}).json() == {"deleted": 2, "skipped": []}
    left = server.get("/api/v2/sessions", project="emptied", **{"in": "bin"})["sessions"]
    assert [row["id"] for row in left] == [runs[0].session]
    assert server.get("/api/v2/sessions", project="emptied")["total"] == 1


def test_nothing_is_deleted_if_the_sessions_are_not_as_many_as_was_said(server: Server) -> None:
    runs = [Writing(server, project="counted", tag=f"run {number}") for number in range(3)]
    edit(server, *(run.session for run in runs), deleted=True)
    body = {"matching": {"project_id": server.project_id("counted"), "in": "bin"}}
    answer = post(server, "/sessions/purge", {**body, "expected": 2})
    assert (answer.status_code, answer.json()["code"], answer.json()["sessions"]) == (409, "other_number", 3)
    assert server.get("/api/v2/sessions", project="counted", **{"in": "bin"})["total"] == 3
    assert post(server, "/sessions/purge", {**body, "expected": 3}).json() == {"deleted": 3, "skipped": []}
