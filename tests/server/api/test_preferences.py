"""What a person has set up in a project: kept for the person, in any browser, and for nobody else."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
import requests

from tests.support.batches import Writing
from tests.support.people import person
from tests.support.server import Server

COLUMNS = {
    "shown": {"params.lr": True},
    "order": ["tag", "params.lr"],
    "widths": {"tag": 300},
    "pinned": ["params.lr"],
    "differing": True,
}


@pytest.fixture
def address(server: Server) -> str:
    project = f"preferences {secrets.token_hex(4)}"
    Writing(server, project=project)
    return f"{server.url}/api/v2/projects/{server.project_id(project)}/preferences"


def put(browser: requests.Session, address: str, body: Any) -> requests.Response:
    return browser.put(f"{address}/columns", json=body, timeout=30)


def test_they_are_the_persons_own(server: Server, address: str) -> None:
    browser, other = server.signed_in(), person(server, "viewer")
    assert browser.get(address, timeout=30).json() == {"preferences": {}}
    assert put(browser, address, {}).status_code == 200
    assert put(browser, address, COLUMNS).json() == {"columns": COLUMNS}
    assert server.signed_in().get(address, timeout=30).json() == {"preferences": {"columns": COLUMNS}}
    assert other.get(address, timeout=30).json() == {"preferences": {}}
    assert put(other, address, {"order": ["id"]}).status_code == 200, "a viewer has columns, too"
    page = browser.get(address.replace("/api/v2", "").removesuffix("/preferences"), timeout=30).text
    assert "params.lr" in page


def test_who_may_not_see_the_project_finds_none(server: Server, address: str) -> None:
    stranger = person(server, None)
    assert stranger.get(address, timeout=30).status_code == 404
    assert put(stranger, address, COLUMNS).status_code == 404
    assert requests.get(address, timeout=30).status_code == 401
    key = {"Authorization": server.api_key}
    assert requests.get(address, headers=key, timeout=30).status_code == 403, "the key of an organization is nobody's"
    for unknown in (10**9, 2**70):
        path = f"{server.url}/api/v2/projects/{unknown}/preferences"
        assert server.signed_in().get(path, timeout=30).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"colour": "red"},
        {"order": "tag"},
        {"widths": {"tag": "wide"}},
        {"widths": {"tag": 10**9}},
        {"shown": {"x" * 1_000: True}},
        {"order": ["a"] * 3_000},
    ],
)
def test_what_is_no_layout_is_refused(server: Server, address: str, body: Any) -> None:
    answer = put(server.signed_in(), address, body)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_another_sites_page_changes_nothing(server: Server, address: str) -> None:
    browser = server.signed_in()
    forged = browser.put(f"{address}/columns", json=COLUMNS, headers={"Origin": "http://elsewhere.example"}, timeout=30)
    assert forged.status_code == 403
    assert browser.put(f"{address}/columns", data="{}", timeout=30).status_code == 415
    assert browser.put(f"{address}/other", json={}, timeout=30).status_code == 404
