"""Sessions by their ids, many at once."""

from __future__ import annotations

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.people import person
from tests.support.server import Server


def test_rows_as_in_the_list_in_the_order_of_the_ids(server: Server) -> None:
    project = f"named {records.new_id()}"
    ids = [Writing(server, project=project, tag=f"run-{n}", params={"n": n}).session for n in range(5)]
    listed = {row["id"]: row for row in server.get("/api/v2/sessions", project=project)["sessions"]}
    wanted = [ids[3], ids[0], records.new_id(), ids[3], "rubbish", ids[4]]
    found = server.get("/api/v2/sessions/named", id=wanted)["sessions"]
    assert found == [listed[ids[3]], listed[ids[0]], listed[ids[4]]]
    assert server.get("/api/v2/sessions/named") == {"sessions": []}


def test_those_of_others_are_left_out(server: Server) -> None:
    ours = Writing(server).session
    for role, seen in ((None, 0), ("viewer", 1)):
        answer = person(server, role).get(f"{server.url}/api/v2/sessions/named?id={ours}", timeout=30)
        assert len(answer.json()["sessions"]) == seen


def test_too_many(server: Server) -> None:
    query = "&".join(f"id={records.new_id()}" for _ in range(201))
    answer = server.request("GET", f"/api/v2/sessions/named?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
