"""Who may edit which sessions: keys, limited keys, members, viewers; projects and organizations."""

from __future__ import annotations

import secrets
from typing import Any

import requests
from losswise_server.accounts.permissions import hash_secret
from losswise_server.db.models import Membership, SignInLink, User

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.database.tables import adding
from tests.support.editing import add_key, edit, organization_of, post, undo
from tests.support.server import Server


def start(server: Server, key: str, project: str | None = None) -> str:
    """A session of another key's; returns its id."""
    session = records.new_id()
    record = records.session_record(tag="theirs", project=project)
    body = {"format": 1, "session": session, "records": [record]}
    assert server.request("POST", "/api/v2/batches", key=key, json=body).status_code == 200
    return session


def row(server: Server, session: str, key: str | None = None) -> Any:
    answer = server.request("GET", f"/api/v2/sessions/{session}", key=key)
    assert answer.status_code == 200
    return answer.json()


def browser(server: Server, organization: int, role: str) -> requests.Session:
    """A signed-in browser of a new user with this role."""
    token = secrets.token_hex(16)
    with adding(server) as (add, _connection):
        user = add(User, email=f"{token}@example.com", name=role, created_at=0.0)
        add(Membership, user_id=user, organization_id=organization, role=role)
        add(SignInLink, token_hash=hash_secret(token), user_id=user, expires_at=4e9)
    session = requests.Session()
    session.get(f"{server.url}/sign-in/{token}", timeout=30)
    assert session.get(f"{server.url}/api/v2/me", timeout=30).json()["user"]["name"] == role
    return session


def ask(session: requests.Session, server: Server, path: str, **options: Any) -> requests.Response:
    return session.post(f"{server.url}/api/v2{path}", timeout=30, **options)


def test_another_organization_edits_nothing(server: Server) -> None:
    key, project = add_key(server, "strangers")
    ours, theirs = Writing(server, tag="ours").session, start(server, key)
    body: dict[str, Any] = {"sessions": [ours], "edit": {"tag": "taken"}}
    answer = post(server, "/sessions/edits", body, key)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")
    done = edit(server, ours, theirs, "f" * 20, key=key, tag="named")
    assert (done["matched"], done["changed"]) == (3, 1)
    assert done["skipped"] == [{"reason": "there is no such session", "sessions": 2}]
    assert (row(server, ours)["tag"], row(server, theirs, key)["tag"]) == ("ours", "named")
    for path in ("/sessions/edits", "/sessions/purge"):
        matching = {"project_id": server.project_id(), "in": "bin"}
        body = {"matching": matching, **({"edit": {"tag": "taken"}} if path.endswith("edits") else {})}
        assert post(server, path, body, key).status_code == 404
    assert post(server, "/sessions/purge", {"sessions": [ours]}, key).status_code == 404
    # nor can it give or take sessions
    assert post(server, "/sessions/edits", {"sessions": [ours], "edit": {"project_id": project}}).status_code == 404
    body = {"sessions": [theirs], "edit": {"project_id": server.project_id()}}
    assert post(server, "/sessions/edits", body, key).status_code == 404
    # nor take back what we have edited
    token = edit(server, ours, starred=True)["undo"]
    assert server.request("POST", f"/api/v2/undo/{token}", key=key).status_code == 404
    assert row(server, ours)["starred"] is True
    assert server.request("POST", "/api/v2/sessions/edits", key="nobody's", json=body).status_code == 401


def test_a_limited_key_keeps_to_its_project(server: Server) -> None:
    organization = organization_of(server, server.project_id())
    key, project = add_key(server, f"limited {secrets.token_hex(4)}", organization=organization, limited=True)
    other = Writing(server, tag="other").session
    own = start(server, key)
    answer = post(server, "/sessions/edits", {"sessions": [other], "edit": {"starred": True}}, key)
    assert answer.status_code == 404
    for fields in ({"project_id": server.project_id()}, {"project_id": 10**6}):
        assert post(server, "/sessions/edits", {"sessions": [own], "edit": fields}, key).status_code == 404
    assert edit(server, own, other, key=key, starred=True)["changed"] == 1
    # a key of the whole organization moves it away; the limited one cannot take back what it did
    token = edit(server, own, key=key, tag="renamed")["undo"]
    assert edit(server, own, project_id=server.project_id())["changed"] == 1
    assert row(server, own)["project_id"] == server.project_id() != project
    done = undo(server, token, key)
    assert (done["changed"], done["skipped"]) == (0, [{"reason": "there is no such session", "sessions": 1}])
    assert row(server, own)["tag"] == "renamed"


def test_a_session_moves_within_its_organization(server: Server) -> None:
    run = Writing(server, tag="moving", project="from")
    Writing(server, project="to")
    graph = run.graph()
    run.points(graph, [0], a=[1.0])
    origin, target = server.project_id("from"), server.project_id("to")
    done = edit(server, run.session, project_id=target)
    assert (done["changed"], done["sessions"][0]["project"]) == (1, "to")
    run.points(graph, [1], a=[2.0])
    moved = run.row()
    assert (moved["project"], moved["project_id"], moved["points"]) == ("to", target, 2)
    assert [found["id"] for found in server.get("/api/v2/sessions", project="to", q="moving")["sessions"]] == [
        run.session
    ]
    assert undo(server, done["undo"])["changed"] == 1
    assert run.row()["project_id"] == origin


def test_a_user_of_two_organizations_moves_nothing_between_them(server: Server) -> None:
    key, project = add_key(server, f"second {secrets.token_hex(4)}")
    run = Writing(server)
    person = browser(server, organization_of(server, project), "member")
    with adding(server) as (add, connection):
        user = connection.exec_driver_sql("SELECT max(id) FROM users").scalar_one()
        add(Membership, user_id=user, organization_id=organization_of(server, server.project_id()), role="owner")
    body: dict[str, Any] = {"sessions": [run.session], "edit": {"project_id": project, "starred": True}}
    answer = ask(person, server, "/sessions/edits", json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    reason = "a session cannot be moved to another organization"
    assert answer.json()["error"] == reason
    body["sessions"].append(start(server, key, "elsewhere"))
    done = ask(person, server, "/sessions/edits", json=body).json()
    assert (done["changed"], done["skipped"]) == (1, [{"reason": reason, "sessions": 1}])
    assert (run.row()["starred"], run.row()["project_id"]) == (False, server.project_id())


def test_a_viewer_reads_only(server: Server) -> None:
    run = Writing(server, tag="viewed")
    edit(server, run.session, deleted=True)
    person = browser(server, organization_of(server, server.project_id()), "viewer")
    body: dict[str, Any] = {"sessions": [run.session]}
    answer = ask(person, server, "/sessions/edits", json={**body, "edit": {"tag": "mine"}})
    assert (answer.status_code, answer.json()["error"]) == (403, "you may view this session, but not change it")
    assert ask(person, server, "/sessions/purge", json=body).status_code == 403
    matching = {"project_id": server.project_id(), "in": "bin"}
    for path, more in (("/sessions/edits", {"edit": {"tag": "mine"}}), ("/sessions/purge", {})):
        assert ask(person, server, path, json={"matching": matching, **more}).status_code == 403
        body = {"sessions": [run.session, "f" * 20], **more}
        done = ask(person, server, path, json=body).json()
        assert {entry["reason"] for entry in done["skipped"]} == {
            "there is no such session", "you may view this session, but not change it"
        }  # fmt: skip
    assert run.row()["tag"] == "viewed"


def test_an_edit_is_undone_by_its_user_only(server: Server) -> None:
    run = Writing(server, tag="before")
    organization = organization_of(server, server.project_id())
    ada, eve = (browser(server, organization, "member") for _ in range(2))
    token = ask(ada, server, "/sessions/edits", json={"sessions": [run.session], "edit": {"tag": "after"}}).json()[
        "undo"
    ]
    assert ask(eve, server, f"/undo/{token}").status_code == 404
    assert server.request("POST", f"/api/v2/undo/{token}").status_code == 404  # a key of the organization
    assert run.row()["tag"] == "after"
    assert ask(ada, server, f"/undo/{token}").json()["changed"] == 1
    assert run.row()["tag"] == "before"


def test_another_site_cannot_edit_with_the_cookie(server: Server) -> None:
    run = Writing(server, tag="safe")
    person = server.signed_in()
    body: dict[str, Any] = {"sessions": [run.session], "edit": {"tag": "forged"}}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://example.org"},
        {"Origin": "null"},
    ):
        for path in ("/sessions/edits", "/sessions/purge", "/undo/abc"):
            assert ask(person, server, path, json=body, headers=headers).status_code == 403, (headers, path)
    # what a form of another site can send
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = ask(person, server, "/sessions/edits", json=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (415, "not_json")
    assert run.row()["tag"] == "safe"
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": server.url}
    assert ask(person, server, "/sessions/edits", json=body, headers=headers).json()["changed"] == 1
    assert ask(person, server, "/sessions/edits", json=body).json()["changed"] == 0
