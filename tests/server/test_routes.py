"""Every route of the application, asked by everybody who may ask: route_table.py says who gets which answer."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask import current_app

from losswise.protocol import records
from tests.server.route_table import ASKERS, BLOB, ELSEWHERE, MAY_NOT_READ, ROUTES, Route
from tests.support.batches import Writing
from tests.support.editing import add_key, edit, organization_of
from tests.support.people import person
from tests.support.server import Server

SECRET = "a tag that only members see"


@pytest.mark.usefixtures("app")
def test_every_route_is_in_the_table() -> None:
    rules = {
        f"{method} {rule.rule}"
        for rule in current_app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    listed = [route.rule for route in ROUTES] + list(ELSEWHERE)
    assert len(listed) == len(set(listed))
    assert set(listed) == rules
    assert all(ELSEWHERE.values())


@pytest.fixture(scope="module")
def askers(server: Server) -> Iterator[dict[str, requests.Session]]:
    """An HTTP session of each of ASKERS."""
    ours = organization_of(server, server.project_id())
    with_key = {
        "a key that does not exist": "lw_" + "0" * 40,
        "a key of another organization": add_key(server, f"strangers {secrets.token_hex(4)}")[0],
        "a key limited to another project": add_key(server, secrets.token_hex(8), organization=ours, limited=True)[0],
        "a key of the organization": add_key(server, secrets.token_hex(8), organization=ours)[0],
    }
    found = {"nobody": requests.Session()}
    for name, key in with_key.items():
        found[name] = requests.Session()
        found[name].headers["Authorization"] = key
    roles = {"a person of another organization": None, "a viewer": "viewer", "a member": "member", "an owner": "owner"}
    found.update((name, person(server, role)) for name, role in roles.items())
    yield found
    for session in found.values():
        session.close()


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.rule)
def test_who_gets_which_answer(server: Server, askers: dict[str, requests.Session], route: Route) -> None:
    limited, project = add_key(
        server,
        f"routes {secrets.token_hex(4)}",
        organization=organization_of(server, server.project_id()),
        limited=True,
    )
    by_limited_key = requests.Session()
    by_limited_key.headers["Authorization"] = limited
    got = {}
    for asker in ASKERS:
        browser = by_limited_key if asker == "a key limited to the project" else askers[asker]
        answer = _ask(server, browser, route, _objects(server, project, limited, route))
        got[asker] = answer.status_code
        if asker in MAY_NOT_READ or answer.status_code >= 400:
            assert SECRET not in answer.text, asker
        elif route.leaves_out:
            assert SECRET in answer.text, asker
    by_limited_key.close()
    assert got == dict(zip(ASKERS, route.answers, strict=True))


def _objects(server: Server, project: int, key: str, route: Route) -> dict[str, str]:
    """What a request can name: a session of the project, made anew, since the last request may have deleted it."""
    name = next(one["name"] for one in server.get("/api/v2/projects")["projects"] if one["id"] == project)
    writing = Writing(server, project=name, tag=SECRET, params={"lr": 0.1})
    other = Writing(server, project=name, tag=SECRET)
    graph = writing.graph()
    writing.points(graph, [0], loss=[1.0])
    blob = hashlib.sha256(BLOB).hexdigest()
    if "{blob}" in route.path:
        server.request("PUT", f"/api/v2/sessions/{writing.session}/blobs/{blob}", data=BLOB)
        writing.send(records.image_record("images", 0, "first", blob))
    made = {}
    of_project = {"project_id": project, "search": f"?q={SECRET}"}
    if "{view}" in route.path:
        view = {**of_project, "name": f"{SECRET} {secrets.token_hex(4)}", "shared": True}
        made["view"] = server.request("POST", "/api/v2/views", json=view).json()["id"]
    if "{address}" in route.path:
        made["address"] = server.request("POST", "/api/v2/views/addresses", json=of_project).json()["id"]
    if route.rule == "POST /api/v2/sessions/purge":
        edit(server, writing.session, deleted=True)
    return {
        "project": str(project),
        "session": writing.session,
        "other": other.session,
        "graph": graph,
        "blob": blob,
        **made,
    }


def _ask(server: Server, browser: requests.Session, route: Route, objects: dict[str, str]) -> requests.Response:
    method, _, rule = route.rule.partition(" ")
    path, body = route.path or rule, json.dumps(route.json).replace('"{project}"', objects["project"])
    for name, value in objects.items():
        path, body = (text.replace("{" + name + "}", value) for text in (path, body))
    options: dict[str, Any] = {"json": json.loads(body)} if route.json is not None else {"data": route.data}
    with browser.request(
        method, server.url + path, timeout=30, allow_redirects=False, stream=True, **options
    ) as answer:
        if "event-stream" not in answer.headers.get("Content-Type", ""):
            assert answer.content is not None  # read before the connection closes
        return answer
