"""A session's details page: permissions, caching, and its size."""

from __future__ import annotations

import pytest
import requests

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.people import person
from tests.support.server import Server


@pytest.mark.parametrize(("role", "sees", "deletes"), [("member", 200, 303), ("viewer", 200, 403), (None, 404, 404)])
def test_permissions_to_see_and_delete(server: Server, role: str | None, sees: int, deletes: int) -> None:
    writing, browser = Writing(server, tag="ours"), person(server, role)
    address = f"{server.url}/s/{writing.session}"
    page = browser.get(f"{address}/details?delete=ask", timeout=30)
    assert page.status_code == sees
    assert ("Delete it" in page.text) == (role == "member")
    assert browser.get(f"{address}/delete", timeout=30).status_code == 405
    elsewhere = browser.post(f"{address}/delete", headers={"Origin": "http://elsewhere.example"}, timeout=30)
    assert elsewhere.status_code == 403
    assert browser.post(f"{address}/delete", timeout=30, allow_redirects=False).status_code == deletes
    assert (server.session(writing.session)["deleted_at"] is not None) == (role == "member")
    if role == "member":  # from the bin, for good
        assert browser.post(f"{address}/delete", timeout=30, allow_redirects=False).status_code == 303
        assert server.request("GET", f"/api/v2/sessions/{writing.session}").status_code in (404, 410)


def test_the_page_requires_login(server: Server) -> None:
    address = f"{server.url}/s/{Writing(server).session}/details"
    assert requests.get(address, timeout=30, allow_redirects=False).headers["Location"].startswith("/login")


def test_an_unchanged_page_is_304(server: Server) -> None:
    writing, browser = Writing(server), server.signed_in()
    address = f"{server.url}/s/{writing.session}/details"

    def ask(version: str) -> requests.Response:
        return browser.get(address, headers={"If-None-Match": f'"{version}"'}, timeout=30)

    page = ask("none").text.partition('class="page session"')[2]
    version = page.partition('data-version="')[2].partition('"')[0]
    assert ask(version).status_code == 304
    writing.send(records.text_record("notes", "new"))
    assert "new" in ask(version).text


@pytest.mark.full_on_postgresql
def test_the_page_of_a_large_session_stays_small(server: Server) -> None:
    writing = Writing(server)
    for first in range(0, 1_000, 250):
        writing.send(*(records.text_record("notes", f"note {x}", x) for x in range(first, first + 250)))
        writing.send(*(records.image_record("images", x, f"image {x}", "ab" * 32) for x in range(first, first + 250)))
    writing.send(records.text_record("summary", "```\nfirst line\n" + "x" * 300_000 + "\n```"))
    writing.send(records.text_record("console", "first output\n" + "y" * 300_000 + "\nlast output", append=True))
    writing.send(records.text_record("table", "|a" * 1_000 + "|\n" + "|-" * 1_000 + "|\n" + "|b|\n" * 5_000))
    writing.send(records.session_record(git={"diff": "\n".join(f"+line {number}" for number in range(50_000))}))
    page = server.signed_in().get(f"{server.url}/s/{writing.session}/details", timeout=60).text
    assert len(page) < 2_000_000
    for shown in (
        "note 999",
        "note 980",
        "image 999",
        "image 950",
        "first line",
        "last output",
        "+line 2999",
        "50,000",
    ):
        assert shown in page
    for left_out in ("note 900", "image 900", "first output", "+line 3000"):
        assert left_out not in page


def test_script_links_in_markdown_are_removed(server: Server) -> None:
    writing = Writing(server)
    links = "[a](javascript:alert(1)) [b](data:text/html,x) <script>alert(1)</script> [c](https://example.com)"
    writing.send(records.text_record("notes", links), records.session_record(info={"note": links}))
    page = server.signed_in().get(f"{server.url}/s/{writing.session}/details", timeout=30).text
    assert 'href="javascript' not in page
    assert 'href="data' not in page
    assert "<script>alert" not in page
    assert page.count('href="https://example.com"') == 2


ODD = "points <b>loss</b> & " + "n" * 150  # as a name in a script may be


@pytest.mark.parametrize("count", [0, 1, 1_000])
def test_what_was_not_stored_is_listed(server: Server, count: int) -> None:
    writing = Writing(server)
    for start in range(0, count, 100):
        writer = writing if not start else Writing(server, writing.session)
        told = [
            {"what": f"{ODD} {n}", "reason": "<script>alert(1)</script>", "total": 2, "t": 1_700_000_000.0 + n}
            for n in range(start, min(start + 100, count))
        ]
        writer.send(refused=told)
    page = server.signed_in().get(f"{server.url}/s/{writing.session}/details", timeout=30).text
    assert ("Not stored" in page) is (count > 0)
    assert ("losswise quarantine --send" in page) is (count > 0)
    assert "<script>alert" not in page
    assert "<b>loss</b> &" not in page
    assert page.count("points &lt;b&gt;loss") == min(count, 500)
    assert ("480 more rows" in page) is (count == 1_000)
    # two for each of the 500 that are not listed
    assert ("And 1,000 more, in rows that are not shown." in page) is (count == 1_000)
    assert len(page) < 600_000


def test_what_a_published_client_lost_has_no_command(server: Server) -> None:
    body = {"tag": "old"}
    session = server.request("POST", "/api/v1/sessions", json=body).json()["session_id"]
    lost = {"session_id": session, "values": 7}
    assert server.request("POST", "/api/v1/values", json=lost).json()["success"] is False
    page = server.signed_in().get(f"{server.url}/s/{session}/details", timeout=30).text
    assert "Not stored" in page
    assert "Its client does not keep such data" in page
    assert ">Writer<" not in page
    assert "losswise quarantine" not in page
