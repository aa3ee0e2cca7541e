"""One session's page: all that is not a curve, in words and live."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from losswise.protocol import records
from tests.browser.conftest import Project
from tests.browser.looking import row
from tests.support.batches import Writing
from tests.support.server import Server

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SUMMARY = "| part | parameters |\n|---|---:|\n| head | 650 |"


@pytest.fixture
def full(server: Server, project: Project) -> Writing:
    """A session that has some of everything."""
    writing = Writing(
        server,
        project=project.name,
        tag="full",
        params={"rate": 0.001, "layers": [64, 10]},
        max_iter=200,
        group="sweep",
    )
    writing.points(writing.graph(), list(range(100)), train_loss=[1.0 / (x + 1) for x in range(100)])
    writing.points(writing.graph("accuracy", "max"), [7], accuracy=[0.5])
    sha256 = hashlib.sha256(PIXEL).hexdigest()
    answer = server.request("PUT", f"/api/v2/sessions/{writing.session}/blobs/{sha256}", data=PIXEL)
    assert answer.status_code == 200
    for x in (10, 20):
        writing.send(
            records.image_record("predictions", x, f"sample at {x}", sha256, 1, 1, {"class": "cat"}, {"p": 0.5})
        )
        writing.send(records.text_record("notes", f"step **{x}** <img src=x onerror=alert(1)>", x))
    writing.send(records.values_record({"checkpoint": "best.ckpt"}))
    writing.send(records.text_record("model summary", SUMMARY))
    writing.send(records.text_record("console", "epoch 1\n", append=True))
    facts = {"git": {"branch": "main", "diff": "-old\n+new"}, "env": {"python": "3.11.7"}, "info": {"who": "*me*"}}
    writing.send(records.session_record(**facts))
    return writing


def opened(page: Page, project: Project, tag: str) -> Page:
    """The page of a session, by way of the table."""
    page.goto(project.address)
    row(page, tag).locator("a.short").click()
    page.wait_for_url("**/details")
    return page


def part(page: Page, name: str) -> Any:
    return page.locator(f'[data-part="{name}"]')


def test_everything_is_there(page: Page, project: Project, full: Writing) -> None:
    opened(page, project, "full")
    expect(page.locator("h1")).to_have_text("full")
    expect(part(page, "head")).to_contain_text("active")
    expect(part(page, "head")).to_contain_text("group sweep")
    expect(part(page, "overview")).to_contain_text("99 of 200")
    expect(part(page, "best").locator("td.best")).to_have_text(["0.01", "0.5"])
    expect(part(page, "params")).to_contain_text("[64, 10]")
    expect(part(page, "values")).to_contain_text("best.ckpt")
    expect(part(page, "text model summary").locator("td")).to_have_text(["head", "650"])
    expect(part(page, "console")).to_contain_text("epoch 1")
    expect(part(page, "environment")).to_contain_text("3.11.7")
    expect(part(page, "note who").locator("em")).to_have_text("me")
    part(page, "git").locator("summary").click()
    expect(page.locator(".diff .plus")).to_have_text("+new")
    page.get_by_role("link", name="Show the curves").click()
    expect(row(page, "full")).to_have_attribute("aria-selected", "true")


def test_html_of_a_script_is_text(page: Page, project: Project, full: Writing) -> None:
    opened(page, project, "full")
    expect(part(page, "text notes")).to_contain_text("step 20 <img src=x onerror=alert(1)>")
    expect(part(page, "text notes").locator(".prose img")).to_have_count(0)
    page.get_by_text("1 earlier").click()
    expect(part(page, "text notes").locator("details")).to_contain_text("step 10")


def test_images_by_step(page: Page, project: Project, full: Writing) -> None:
    opened(page, project, "full")
    images = part(page, "images predictions")
    expect(images.locator("figure:visible")).to_contain_text("sample at 20")
    images.locator("input[type=range]").press("ArrowLeft")
    expect(images.locator("figure:visible")).to_contain_text("sample at 10")
    expect(images.locator("h2")).to_have_text("predictions at 10")
    assert images.locator("figure:visible img").evaluate("async (img) => (await img.decode(), img.naturalWidth)") == 1


def test_it_is_live_while_the_session_runs(page: Page, project: Project, full: Writing) -> None:
    opened(page, project, "full")
    part(page, "images predictions").locator("input[type=range]").press("ArrowLeft")
    full.send(records.text_record("console", "epoch 2\n", append=True))
    error = {"type": "ValueError", "message": "no data", "traceback": "Traceback: no data"}
    full.end("failed", reason="error", error=error)
    expect(part(page, "console")).to_contain_text("epoch 2", timeout=15_000)
    expect(part(page, "failure")).to_contain_text("ValueError: no data")
    expect(part(page, "head")).to_contain_text("failed")
    expect(part(page, "images predictions").locator("h2")).to_have_text("predictions at 10")  # as it was left


@pytest.mark.full
def test_selected_text_is_updated_after_the_selection_ends(page: Page, project: Project, full: Writing) -> None:
    opened(page, project, "full")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('[data-part=head] code'))")
    full.send(records.text_record("console", "epoch 2\n", append=True))
    full.end()
    expect(part(page, "console")).to_contain_text("epoch 2", timeout=15_000)
    expect(part(page, "head")).to_contain_text("active")
    page.evaluate("getSelection().removeAllRanges()")
    expect(part(page, "head")).to_contain_text("complete", timeout=15_000)


def test_by_keys_and_from_the_bar(page: Page, project: Project, full: Writing) -> None:
    page.goto(project.address)
    expect(row(page, "full")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("d")
    page.wait_for_url(f"**/s/{full.session}/details")
    page.go_back()
    page.get_by_role("link", name="Details of full", exact=True).click()
    page.wait_for_url(f"**/s/{full.session}/details")


def test_deleting_asks_first(page: Page, server: Server, project: Project, full: Writing) -> None:
    opened(page, project, "full")
    page.get_by_text("Delete this session").click()
    page.get_by_role("link", name="Keep it").click()
    page.get_by_text("Delete this session").click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_url("**/projects/*")
    expect(page.get_by_text("1 session moved to the bin")).to_be_visible()
    assert server.session(full.session)["deleted_at"] is not None
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "full")).to_be_visible()
    assert server.session(full.session)["deleted_at"] is None
    assert "#" not in page.url
    page.goto(f"{server.url}/s/{full.session}/details")
    page.get_by_text("Delete this session").click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_url("**/projects/*")
    page.goto(f"{server.url}/s/{full.session}/details")
    expect(page.get_by_text("In the bin since")).to_be_visible()
    page.get_by_text("Delete this session").click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_url("**/projects/*in=bin*")
    assert server.request("GET", f"/api/v2/sessions/{full.session}").status_code in (404, 410)


@pytest.mark.parametrize("width", [390, 1440])
def test_it_never_scrolls_sideways(
    width: int, sign_in: Callable[..., Page], server: Server, project: Project, full: Writing
) -> None:
    long = "a-name-" + "very-" * 60 + "long"
    full.send(records.session_record(tag=long, params={long: long}))
    full.send(records.text_record(long, f"# {long}\n\n| {long} | {long} |\n|---|---|\n| 1 | 2 |\n\n```\n{long}\n```"))
    full.points(full.graph(long), [0], None, **{long[:200]: [1.0]})
    page = sign_in(viewport={"width": width, "height": 844})
    page.goto(f"{server.url}/s/{full.session}/details")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_session_without_anything(page: Page, project: Project, server: Server) -> None:
    Writing(server, project=project.name, tag="bare")
    opened(page, project, "bare")
    expect(part(page, "best")).to_contain_text("No points yet.")
    expect(part(page, "params")).to_contain_text("No params")
    assert page.request.get(f"{server.url}/s/{records.new_id()}/details").status == 404


def test_the_printed_address_shows_the_row_and_names_the_session(page: Page, server: Server, project: Project) -> None:
    """Among more rows than there is room for."""
    first = Writing(server, project=project.name, tag="the first of many")
    for number in range(30):
        Writing(server, project=project.name, tag=f"later {number}")
    page.goto(f"{server.url}/s/{first.session}")
    expect(row(page, "the first of many")).to_be_in_viewport()
    expect(page).to_have_title(f"the first of many · {project.name} · Losswise")
    expect(page.locator("#details")).to_have_text("Details of the first of many")


def test_a_page_of_a_version_that_did_not_reload_itself_is_reloaded(page: Page, server: Server) -> None:
    address = f"{server.url}/s/{Writing(server).session}/details"
    page.goto(address)
    # what the script of that version did
    script = """async () => {
        window.isOld = true;
        const answer = await fetch(location.pathname, { headers: { 'If-None-Match': '"old"' } });
        const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const parts = fresh.querySelector('.page.session').querySelectorAll('[data-part]');
        document.querySelector('.page.session').prepend(...parts);
    }"""
    with page.expect_navigation(url=address):
        page.evaluate(script)
    assert page.evaluate("window.isOld") is None
    expect(page.locator("[data-part=overview]")).to_be_visible()


@pytest.mark.full
def test_what_was_not_stored_appears_and_goes_without_a_reload(page: Page, project: Project, full: Writing) -> None:
    opened(page, project, "full")
    expect(part(page, "not stored")).to_have_count(0)
    told = [
        {"what": "points loss " + "name" * 40, "reason": "<b>too long</b>", "total": 12, "t": 1.7e9},
        {"what": "image", "reason": "too large", "total": 1, "t": 1.7e9 + 1},
    ]
    full.send(refused=told)
    rows = part(page, "not stored").locator("tbody tr")
    expect(rows).to_have_count(2, timeout=15_000)
    expect(rows.first).to_contain_text("<b>too long</b>")
    expect(rows.first.locator("td.n")).to_have_text("12")
    expect(rows.first.locator("code")).to_have_text(full.writer[:8])
    expect(part(page, "not stored")).to_contain_text("losswise quarantine --send")
    page.get_by_role("link", name="13", exact=True).click()
    expect(part(page, "not stored")).to_be_in_viewport()
    full.send(refused=[{**each, "sent": each["total"]} for each in told])
    expect(part(page, "not stored")).to_have_count(0, timeout=15_000)


def test_what_was_not_stored_fits_a_phone(sign_in: Callable[..., Page], project: Project, full: Writing) -> None:
    page = sign_in(viewport={"width": 390, "height": 844})
    full.send(refused=[{"what": "points loss " + "n" * 180, "reason": "r" * 280, "total": 10**9}])
    page.goto(f"{full.server.url}/s/{full.session}/details")
    expect(part(page, "not stored")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
