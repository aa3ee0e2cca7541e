"""Pages from before an upgrade, whose scripts do not know how to reload: their requests are recognised and answered."""

from __future__ import annotations

import pytest
import requests

from tests.support.server import Server


def asked_by_old_script(server: Server, page: str, path: str, accept: str = "application/json", **headers: str) -> int:
    asked = {"Referer": server.url + page, "Accept": accept, **headers}
    return server.signed_in().get(server.url + path, headers=asked, timeout=30).status_code


LIST = "/api/v2/sessions"


def test_the_list_is_refused_so_that_the_page_leaves_for_the_sign_in_page(server: Server) -> None:
    assert asked_by_old_script(server, "/projects/1", LIST) == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Losswise-Page": "1"},
        {"Referer": "https://elsewhere.example/projects/1"},
        {"Referer": ""},
        {"accept": "*/*"},
        {"accept": "text/html,application/xhtml+xml,application/json"},
    ],
    ids=["page of today", "page of another site", "program", "program's Accept", "link that was followed"],
)
def test_every_other_request_is_answered(server: Server, headers: dict[str, str]) -> None:
    assert asked_by_old_script(server, "/projects/1", LIST, **headers) == 200


def test_a_browser_is_told_once_a_minute_so_that_nothing_loops(server: Server) -> None:
    browser = server.signed_in()
    headers = {"Referer": server.url + "/projects/1", "Accept": "application/json"}
    statuses = [browser.get(server.url + LIST, headers=headers, timeout=30).status_code for _ in range(2)]
    assert statuses == [401, 200]


def test_static_files_need_no_user(server: Server) -> None:
    browser = server.signed_in()
    browser.cookies.set("losswise", "unreadable")
    answer = browser.get(f"{server.url}/static/css/base.css", headers={"Referer": server.url + "/"}, timeout=30)
    assert "Set-Cookie" not in answer.headers


def test_a_key_is_answered_whatever_the_referrer(server: Server) -> None:
    headers = {"Authorization": server.api_key, "Referer": server.url + "/projects/1", "Accept": "application/json"}
    assert requests.get(server.url + LIST, headers=headers, timeout=30).status_code == 200


def test_the_sign_in_page_sends_a_signed_in_user_back(server: Server) -> None:
    browser = server.signed_in()
    answer = browser.get(f"{server.url}/login?next=/projects", timeout=30, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/projects")
    elsewhere = browser.get(f"{server.url}/login?next=//elsewhere.example", timeout=30, allow_redirects=False)
    assert elsewhere.headers["Location"] == "/"
