"""Login and logout, the pages' URLs, CSRF protection and security headers."""

from __future__ import annotations

import pytest
import requests

from tests.support.batches import Writing
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, Server


def test_pages_redirect_to_login_and_back(server: Server) -> None:
    browser = requests.Session()
    page = browser.get(server.url + "/projects?x=1", timeout=30)
    assert "/login?next=" in page.url
    form = {"email": ADMIN_EMAIL.upper(), "password": ADMIN_PASSWORD, "next": "/projects?x=1"}
    page = browser.post(server.url + "/login", data=form, timeout=30)
    assert page.url == server.url + "/projects?x=1"
    page = browser.get(server.url + "/", timeout=30)
    assert "/projects/" in page.url
    page = browser.post(server.url + "/logout", timeout=30)
    assert page.url.endswith("/login")
    assert "/login" in browser.get(server.url + "/projects", timeout=30).url


@pytest.mark.parametrize("address", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1"])
def test_login_never_redirects_to_another_site(server: Server, address: str) -> None:
    form = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD, "next": address}
    answer = requests.post(server.url + "/login", data=form, timeout=30, allow_redirects=False)
    assert answer.headers["Location"] == "/"


def test_wrong_passwords(server: Server) -> None:
    for email, password in ((ADMIN_EMAIL, "wrong"), ("nobody@example.com", ADMIN_PASSWORD), ("", "")):
        answer = requests.post(server.url + "/login", data={"email": email, "password": password}, timeout=30)
        assert answer.status_code == 401
        assert "Wrong e-mail address or password" in answer.text


def test_used_and_unknown_sign_in_links(server: Server) -> None:
    link = server.sign_in_link()
    assert requests.head(link, timeout=30).status_code == 410  # a preview does not use it up
    assert "/projects/" in requests.get(link, timeout=30).url
    for address in (link, server.url + "/sign-in/nonsense"):
        answer = requests.get(address, timeout=30)
        assert answer.status_code == 410
        assert "sign-in-link" in answer.text
        assert "--data-dir" in answer.text


def test_a_used_sign_in_link_works_for_a_browser_that_is_signed_in(server: Server) -> None:
    link, browser = server.sign_in_link(), requests.Session()
    for _ in range(2):
        answer = browser.get(link, timeout=30)
        assert answer.status_code == 200
        assert "/projects/" in answer.url
    assert requests.get(link, timeout=30).status_code == 410


def test_a_session_url_redirects_to_its_project(server: Server) -> None:
    run = Writing(server, project="addressed")
    browser = server.signed_in()
    answer = browser.get(f"{server.url}/s/{run.session}", timeout=30)
    assert answer.status_code == 200
    assert answer.url.endswith(f"?s={run.session}")
    assert browser.get(f"{server.url}/s/{'0' * 20}", timeout=30).status_code == 404
    assert browser.get(f"{server.url}/projects/99999", timeout=30).status_code == 404


def test_cross_site_requests_are_rejected(server: Server) -> None:
    run = Writing(server)
    browser = server.signed_in()
    address = f"{server.url}/api/v2/sessions/{run.session}"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://x.example"}):
        assert browser.delete(address, headers=headers, timeout=30).status_code == 403
    assert browser.delete(address, headers={"Origin": server.url}, timeout=30).status_code == 200


def test_headers(server: Server) -> None:
    for path in ("/login", "/static/js/pages/theme.js", "/api/v2/me", "/nowhere"):
        answer = requests.get(server.url + path, timeout=30)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    cookie = requests.post(
        server.url + "/login",
        data={"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD},
        timeout=30,
        allow_redirects=False,
    ).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_quickstart_shows_one_working_key_per_user(server: Server) -> None:
    import re

    browser = server.signed_in()
    page = browser.get(server.url + "/quickstart", timeout=30)
    assert page.status_code == 200
    keys = set(re.findall(r"lw_[0-9a-f]{40}", page.text))
    assert len(keys) == 1
    assert set(re.findall(r"lw_[0-9a-f]{40}", browser.get(page.url, timeout=30).text)) == keys
    assert server.request("GET", "/api/v2/me", key=keys.pop()).status_code == 200


def test_errors_of_pages_are_html(server: Server) -> None:
    answer = requests.get(server.url + "/nowhere", timeout=30)
    assert answer.status_code == 404
    assert "text/html" in answer.headers["Content-Type"]
