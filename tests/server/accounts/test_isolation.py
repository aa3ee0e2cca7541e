"""One organization never sees or touches another's, and a limited key keeps to its project."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from losswise_server.accounts.permissions import hash_secret
from losswise_server.db.models import ApiKey, Organization, Project

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.database.tables import adding
from tests.support.server import Server


def add_key(server: Server, name: str, *, limited: bool = False) -> tuple[str, int]:
    """A key of a new organization with one project; returns it and the project's id."""
    key = "lw_" + secrets.token_hex(20)
    with adding(server) as (add, _connection):
        organization = add(Organization, name=name, created_at=0.0)
        project = add(Project, organization_id=organization, name="theirs", created_at=0.0)
        owner = {"organization_id": organization, "project_id": project}
        add(ApiKey, **owner, name=name, key_hash=hash_secret(key), limited=limited, created_at=0.0)
    return key, project


def test_another_organization_sees_and_changes_nothing(server: Server) -> None:
    key, _ = add_key(server, "others")
    run = Writing(server, tag="ours")
    graph = run.graph()
    run.points(graph, [0], a=[1.0])
    [ours] = [project["id"] for project in server.get("/api/v2/projects")["projects"] if project["name"] == "default"]

    def theirs(method: str, path: str, **options: Any) -> int:
        return server.request(method, path, key=key, **options).status_code

    assert server.request("GET", "/api/v2/sessions", key=key).json()["sessions"] == []
    for path in (
        f"/api/v2/sessions/{run.session}",
        f"/api/v2/graphs/{graph}/points",
        f"/api/v2/series?graph={graph}",
        f"/api/v2/sessions?project_id={ours}",
        f"/api/v2/series/groups?project_id={ours}&title=loss",
        f"/api/v2/series/groups/graphs?project_id={ours}",
        f"/live?project_id={ours}",
        f"/api/v2/sessions/{run.session}/blobs/{'0' * 64}",
    ):
        assert theirs("GET", path) == 404, path
    assert theirs("DELETE", f"/api/v2/sessions/{run.session}") == 404
    assert theirs("PUT", f"/api/v2/sessions/{run.session}/blobs/{'0' * 64}", data=b"") == 404
    batch = {"format": 1, "session": run.session, "records": [records.session_record(tag="taken")]}
    assert theirs("POST", "/api/v2/batches", json=batch) == 403
    point = {"session_id": run.session, "graph_id": graph, "x": 1, "y": {"a": 2.0}, "time": 1}
    assert theirs("POST", "/api/v1/points", json=point) == 404
    assert theirs("PATCH", f"/api/v1/sessions/{run.session}", json={"attributes": {"status": "complete"}}) == 403
    row = run.row()
    assert (row["tag"], row["status"], row["points"]) == ("ours", "active", 1)


@pytest.mark.parametrize("limited", [False, True])
def test_a_key_makes_projects_unless_it_is_limited(server: Server, limited: bool) -> None:
    key, project = add_key(server, "third", limited=limited)

    def start(name: str | None) -> int:
        record = records.session_record(tag="x", project=name)
        body = {"format": 1, "session": records.new_id(), "records": [record]}
        return server.request("POST", "/api/v2/batches", key=key, json=body).status_code

    assert start(None) == 200
    assert start("theirs") == 200
    assert start("new") == (403 if limited else 200)
    seen = server.request("GET", "/api/v2/projects", key=key).json()["projects"]
    assert [entry["name"] for entry in seen] == (["theirs"] if limited else ["new", "theirs"])
    assert project in [entry["id"] for entry in seen]
