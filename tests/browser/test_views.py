"""Saved views, and what a copied address shows another person."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import expect_shown, row
from tests.support.batches import Writing
from tests.support.people import person
from tests.support.server import Server


def make(server: Server, project: Project, tag: str, age: float = 0.0, **fields: Any) -> Writing:
    return Writing(server, project=project.name, tag=tag, created_at=time.time() - age, **fields)


@pytest.fixture
def runs(server: Server, project: Project) -> list[Writing]:
    return [make(server, project, f"run-{n}", age=n, params={"lr": 10.0**-n}) for n in range(4)]


def opened_by(new_page: Callable[..., Page], server: Server, browser: requests.Session, address: str) -> Page:
    """The address in a browser of somebody who is signed in."""
    page = new_page()
    page.context.add_cookies(
        [{"name": name, "value": value, "url": server.url} for name, value in browser.cookies.items()]
    )
    page.goto(address)
    return page


def choose(page: Page, item: str) -> None:
    """Choose an entry of the views' menu with the mouse."""
    page.locator("#views").click()
    page.get_by_role("menu", name="Views").get_by_text(item, exact=True).click()


def save_as(page: Page, name: str, shared: bool = False) -> None:
    choose(page, "Save as …")
    page.get_by_role("textbox", name="Name").fill(name)
    if shared:
        page.get_by_label("For everybody who sees the project").check()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.locator("#views .name")).to_have_text(name)


def search(page: Page, q: str, *tags: str) -> None:
    page.fill("#search", q)
    expect(page.locator("#sessions .tag")).to_have_text(list(tags))


def test_a_view_is_saved_marked_reset_and_opened_elsewhere(
    page: Page, sign_in: Callable[..., Page], project: Project, runs: list[Writing]
) -> None:
    page.goto(project.address)
    expect(page.locator("#sessions .tag")).to_have_count(4)
    search(page, "lr<=0.01", "run-2", "run-3")
    save_as(page, "Low rates", shared=True)
    expect(page).to_have_url(re.compile(r"\?view=[0-9a-f]{20}$"))
    link, mark = page.url, page.locator("#views .dot")
    expect(mark).to_be_hidden()
    page.get_by_role("button", name="log y").click()
    expect(mark).to_be_visible()
    expect(page.get_by_role("button", name="View Low rates, unsaved changes")).to_be_visible()
    expect(page).to_have_url(f"{link}&log=1")
    changed = page.url
    choose(page, "Reset to saved")
    expect(mark).to_be_hidden()
    expect(page).to_have_url(link)
    page.go_back()
    expect(mark).to_be_visible()
    expect(page.locator("#log-y")).to_have_attribute("aria-pressed", "true")
    page.go_forward()
    expect(page.locator("#log-y")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("link", name="Skip to the content").press("Enter")
    expect(page).to_have_url(f"{link}#content")
    expect(mark).to_be_hidden()
    search(page, "lr<=0.001", "run-3")
    choose(page, "Save")
    expect(page.locator(".toast")).to_contain_text("“Low rates” saved")
    expect(page).to_have_url(link)
    other = sign_in()
    other.goto(link)
    expect(other.locator("#sessions .tag")).to_have_text(["run-3"])
    expect(other.locator("#views .name")).to_have_text("Low rates")
    other.goto(changed)  # shows what has been saved since, with its own changes
    expect(other.locator("#sessions .tag")).to_have_text(["run-3"])
    expect(other.locator("#log-y")).to_have_attribute("aria-pressed", "true")
    expect(other.locator("#views .dot")).to_be_visible()


@pytest.mark.full
def test_views_with_the_keyboard(page: Page, project: Project, runs: list[Writing]) -> None:
    page.goto(project.address)
    expect(page.locator("#sessions .tag")).to_have_count(4)
    search(page, "run-1", "run-1")
    page.locator("#views").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Save as …")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Name")).to_be_focused()
    page.keyboard.type("One")
    page.keyboard.press("Enter")
    expect(page.locator("#views .name")).to_have_text("One")
    expect(page.locator("#views")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitemradio", name="One")).to_have_attribute("aria-checked", "true")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Name")).to_have_value("One")
    page.keyboard.type("Two")
    page.keyboard.press("Enter")
    expect(page.locator("#views .name")).to_have_text("Two")
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitemradio", name="Two")).to_be_focused()
    link = page.url
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("“Two” deleted")
    expect(page.locator("#views .name")).to_have_text("Views")
    expect(page.locator("#sessions .tag")).to_have_text(["run-1"])
    page.keyboard.press("z")
    expect(page.locator("#views .name")).to_have_text("Two")
    expect(page).to_have_url(link)  # with the same id


@pytest.mark.full
def test_the_default_opens_a_plain_address(page: Page, project: Project, runs: list[Writing]) -> None:
    page.goto(project.address)
    expect(page.locator("#sessions .tag")).to_have_count(4)
    search(page, "run-2", "run-2")
    save_as(page, "Mine")
    choose(page, "Make it my default")
    expect(page.locator(".toast")).to_contain_text("my default now")
    page.goto(project.address)
    expect(page.locator("#sessions .tag")).to_have_text(["run-2"])
    expect(page.locator("#views .name")).to_have_text("Mine")
    choose(page, "No view")
    expect(page.locator("#sessions .tag")).to_have_count(4)
    page.reload()
    expect(page.locator("#sessions .tag")).to_have_count(4)
    expect(page.locator("#views .name")).to_have_text("Views")
    expect_shown(page, "run-0", "run-1", "run-2", "run-3")
    choose(page, "Mine")
    expect_shown(page, "run-2")  # what it shows by itself, as whoever opens it sees it
    choose(page, "No longer my default")
    expect(page.locator(".toast")).to_contain_text("no longer my default")
    page.goto(project.address)
    expect(page.locator("#sessions .tag")).to_have_count(4)


@pytest.mark.full
def test_a_private_view_is_not_seen_by_others_but_its_address_shows_the_same(
    page: Page, new_page: Callable[..., Page], server: Server, project: Project, runs: list[Writing]
) -> None:
    page.goto(project.address)
    expect(page.locator("#sessions .tag")).to_have_count(4)
    search(page, "run-2", "run-2")
    save_as(page, "Secret")
    viewer = opened_by(new_page, server, person(server, "viewer"), page.url)
    expect(viewer.locator("#sessions .tag")).to_have_text(["run-2"])
    expect(viewer.locator("#views .name")).to_have_text("Views")
    viewer.locator("#views").click()
    menu = viewer.get_by_role("menu", name="Views")
    expect(menu).to_contain_text("Save as")
    expect(menu).not_to_contain_text("Secret")
    menu.get_by_text("Save as").click()
    expect(viewer.get_by_role("textbox", name="Name")).to_be_visible()
    expect(viewer.get_by_label("For everybody")).to_have_count(0)  # who may not write saves for oneself
    viewer.get_by_role("textbox", name="Name").fill("Seen")
    viewer.keyboard.press("Enter")
    expect(viewer.locator("#views .name")).to_have_text("Seen")


@pytest.mark.full
def test_two_who_save_one_view_see_each_other(
    page: Page, sign_in: Callable[..., Page], project: Project, runs: list[Writing]
) -> None:
    page.goto(project.address)
    expect(page.locator("#sessions .tag")).to_have_count(4)
    search(page, "run-1", "run-1")
    save_as(page, "Ours", shared=True)
    other = sign_in()
    other.goto(page.url)
    expect(other.locator("#sessions .tag")).to_have_text(["run-1"])
    search(other, "run-2", "run-2")
    choose(other, "Save")
    expect(other.locator(".toast")).to_contain_text("saved")
    search(page, "run-3", "run-3")
    choose(page, "Save")
    dialog = page.get_by_role("dialog", name="Somebody else has changed this view")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#sessions .tag")).to_have_text(["run-3"])
    expect(page.locator("#views .dot")).to_be_visible()
    choose(page, "Reset to saved")
    expect(page.locator("#sessions .tag")).to_have_text(["run-2"])


@pytest.mark.full_on_postgresql
def test_who_has_cancelled_signing_in_is_asked_again_for_what_they_do(
    page: Page, project: Project, runs: list[Writing]
) -> None:
    page.goto(project.address)
    expect(page.locator("#sessions .tag")).to_have_count(4)
    save_as(page, "Mine")
    choose(page, "Rename …")
    page.get_by_role("textbox", name="Name").fill("Renamed")
    page.context.clear_cookies()
    signing_in = page.get_by_role("dialog", name="You have been signed out")
    for _ in range(2):
        # whether or not the page has asked for something meanwhile, and its dialog lies over this one
        page.locator("dialog.question form").first.evaluate("form => form.requestSubmit()")
        signing_in.get_by_role("button", name="Cancel").click()
        expect(signing_in).to_have_count(0)
        expect(page.get_by_role("dialog", name="Rename view").get_by_role("alert")).not_to_be_empty()


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_hundreds_of_selected_sessions_have_a_short_address(
    page: Page, sign_in: Callable[..., Page], server: Server, project: Project
) -> None:
    sessions = [make(server, project, f"run-{n:03d}", age=400 - n).session for n in range(360)]
    page.goto(project.address)
    expect(page.locator("#sessions .tag").first).to_have_text("run-359")
    page.locator("tr[data-session] .swatch").nth(5).click()
    page.evaluate(
        """async (ids) => {
            const scripts = document.querySelector('script[type=module]').src.replace(/\\/js\\/.*/, '/js');
            (await import(`${scripts}/data/store.js`)).select(ids);
        }""",
        sessions,
    )
    chosen = page.locator("#chosen")
    expect(chosen).to_contain_text("360 selected")
    assert len(page.url) < 2_200, "at once"
    expect(page).to_have_url(re.compile(r"\?v=[0-9a-f]{20}$"), timeout=30_000)
    link = page.url
    page.reload()
    expect(chosen).to_contain_text("360 selected", timeout=30_000)
    expect(page).to_have_url(link)
    page.go_back()
    expect(chosen).not_to_contain_text("360 selected", timeout=30_000)
    page.go_forward()
    expect(chosen).to_contain_text("360 selected", timeout=30_000)
    other = sign_in()
    other.goto(link)
    expect(other.locator("#chosen")).to_contain_text("360 selected", timeout=30_000)
    other.goto(link.replace("?v=", "?v=0"))
    expect(other.locator(".toast")).to_contain_text("no longer stored")


def test_a_link_shows_the_columns_of_who_copied_it(
    page: Page, new_page: Callable[..., Page], server: Server, project: Project, runs: list[Writing]
) -> None:
    def head(page: Page, name: str) -> Any:
        return page.get_by_role("columnheader", name=name, exact=True)

    page.goto(project.address)
    page.locator("#columns summary").click()
    page.locator("#columns").get_by_label("lr").check()
    page.locator("#columns").get_by_label("Elapsed").uncheck()
    expect(page).to_have_url(re.compile("cols="))
    link = page.url
    viewer = person(server, "viewer")
    address = project.address.replace("/projects/", "/api/v2/projects/") + "/preferences"
    kept = {"shown": {"group": True}, "order": [], "widths": {}, "pinned": [], "differing": False}
    assert viewer.put(f"{address}/columns", json=kept, timeout=30).status_code == 200
    theirs = opened_by(new_page, server, viewer, link)
    expect(row(theirs, "run-3")).to_contain_text("0.001")
    expect(head(theirs, "Elapsed")).to_have_count(0)
    expect(head(theirs, "Group")).to_have_count(0)
    assert viewer.get(address, timeout=30).json()["preferences"] == {"columns": kept}, "looking changes nothing"
    theirs.goto(project.address)
    expect(head(theirs, "Group")).to_be_visible()
    expect(head(theirs, "Elapsed")).to_be_visible()
    # without columns of one's own, the other person's defaults are shown
    page.locator("#columns").get_by_label("lr").uncheck()
    head(page, "Tag").click(button="right")
    page.get_by_role("menuitem", name="Reset all columns").click()
    expect(head(page, "Elapsed")).to_be_visible()
    row(page, "run-1").click()
    expect_shown(page, "run-1")
    theirs.goto(page.url)
    expect(head(theirs, "Elapsed")).to_be_visible()
    expect(head(theirs, "Group")).to_have_count(0)
    page.go_back()
    page.go_back()
    expect(head(page, "Elapsed")).to_have_count(0)
