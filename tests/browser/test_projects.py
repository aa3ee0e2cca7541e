"""The list of projects: finding, stars, descriptions, and rows that follow what happens."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.batches import Writing
from tests.support.people import person
from tests.support.server import Server


@pytest.fixture
def names(server: Server) -> list[str]:
    """Three projects of the test's own, in the order of the list."""
    word = secrets.token_hex(4)
    names = [f"{word} {rest}" for rest in ("apples", "pears of the north", "plums")]
    for name in names:
        run = Writing(server, project=name, tag=f"run of {name}", max_iter=10)
        run.points(run.graph("loss", "min"), [0, 4], val_loss=[2.0, 0.25])
    return names


def row(page: Page, name: str) -> Locator:
    return page.locator("tr[data-project]", has=page.get_by_role("link", name=name, exact=True))


def shown(page: Page) -> Locator:
    return page.locator("tr[data-project]:not([hidden]) .row-link")


@pytest.mark.full
def test_projects_are_found_by_their_words(page: Page, server: Server, names: list[str]) -> None:
    word = names[0].split()[0]
    page.goto(f"{server.url}/projects")
    page.keyboard.press("/")
    page.keyboard.type(word)
    expect(shown(page)).to_have_text(names)
    page.keyboard.type(" north pear")
    expect(shown(page)).to_have_text([names[1]])
    expect(page.locator("#found")).to_contain_text(re.compile(r"^1 of \d+ projects$"))
    page.reload()
    expect(shown(page)).to_have_text([names[1]])
    page.locator("#find").focus()
    page.keyboard.press("End")
    page.keyboard.type(" nothing")
    expect(page.locator("#nothing")).to_be_visible()
    page.get_by_role("button", name="Show all projects").click()
    expect(page.locator("#find")).to_be_focused()
    expect(row(page, names[2])).to_be_visible()
    page.keyboard.type(f"{word} plum")
    expect(shown(page)).to_have_text([names[2]])
    page.keyboard.press("Enter")
    page.wait_for_url("**/projects/*")
    expect(page.locator("h1")).to_have_text(f"Sessions of {names[2]}")


@pytest.mark.full
def test_a_star_puts_a_project_first(
    page: Page, sign_in: Callable[..., Page], server: Server, names: list[str]
) -> None:
    page.goto(f"{server.url}/projects?q={names[0].split()[0]}")
    expect(shown(page)).to_have_text(names)
    star = row(page, names[2]).get_by_role("button", name="Star")
    star.focus()
    page.keyboard.press("Enter")
    expect(shown(page)).to_have_text([names[2], *names[:2]])
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(star).to_be_focused()
    other = sign_in()
    other.goto(f"{server.url}/projects?q={names[0].split()[0]}")
    expect(shown(other)).to_have_text([names[2], *names[:2]])
    star.click()
    expect(shown(page)).to_have_text(names)


def test_a_description_is_edited_in_place(
    page: Page, new_page: Callable[..., Page], server: Server, names: list[str]
) -> None:
    page.goto(f"{server.url}/projects?q={names[0].split()[0]}")
    mine = row(page, names[1])
    mine.get_by_role("button", name="Edit").focus()
    page.keyboard.press("Enter")
    field = mine.get_by_label("Description")
    expect(field).to_be_focused()
    page.keyboard.type("Sweet <b>ones</b>")
    page.keyboard.press("Escape")
    expect(mine.locator(".description")).to_have_count(0)
    expect(mine.get_by_role("button", name="Edit")).to_be_focused()
    page.keyboard.press("Enter")
    field.fill("Sweet <b>ones</b>")
    page.keyboard.press("Control+Enter")
    expect(mine.locator(".description")).to_have_text("Sweet <b>ones</b>")
    expect(page.locator(".toast")).to_contain_text("Project changed")
    viewer = new_page()
    cookies = person(server, "viewer").cookies
    viewer.context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies.items()])
    viewer.goto(f"{server.url}/projects?q=sweet+{names[0].split()[0]}")
    expect(shown(viewer)).to_have_text([names[1]])
    expect(row(viewer, names[1]).get_by_role("button", name="Edit")).to_have_count(0)
    mine.hover()
    mine.get_by_role("button", name="Edit").click()
    mine.get_by_label("Best value").fill("last(val_loss)")
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("alert")).to_contain_text("min(val_loss)")
    mine.get_by_label("Best value").fill("max(val_loss)")
    mine.get_by_role("button", name="Save").click()
    expect(mine.locator(".statistic")).to_have_text("max(val_loss)")
    expect(mine.locator(".best")).to_have_text("2", timeout=30_000)
    page.get_by_role("button", name="Undo").click()
    expect(mine.locator(".best")).to_have_text("0.25", timeout=30_000)


def test_two_who_edit_one_project_see_each_other(page: Page, server: Server, names: list[str]) -> None:
    def by_another(**body: object) -> None:
        address = f"/api/v2/projects/{server.project_id(names[0])}"
        assert server.request("PATCH", address, json=body).status_code == 200

    page.goto(f"{server.url}/projects?q={names[0].split()[0]}")
    mine = row(page, names[0])
    mine.hover()
    mine.get_by_role("button", name="Edit").click()
    by_another(best="max(val_loss)")
    mine.get_by_label("Description").fill("mine")
    mine.get_by_role("button", name="Save").click()
    expect(mine.locator(".description")).to_have_text("mine")
    expect(mine.locator(".statistic")).to_have_text("max(val_loss)")  # what I have not touched stays
    mine.hover()
    mine.get_by_role("button", name="Edit").click()
    by_another(description="theirs")
    mine.get_by_label("Description").fill("mine again")
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_role("alert")).to_contain_text("“theirs”")
    expect(mine.get_by_label("Description")).to_have_value("mine again")
    mine.get_by_role("button", name="Save over theirs").click()
    expect(mine.locator(".description")).to_have_text("mine again")
    by_another(description="theirs, later")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("theirs stays")
    expect(mine.locator(".description")).to_have_text("theirs, later")


def test_rows_follow_what_happens(page: Page, server: Server, names: list[str]) -> None:
    word = names[0].split()[0]
    page.goto(f"{server.url}/projects?q={word}")
    first, second = row(page, names[0]), row(page, names[1])
    expect(first.get_by_role("link", name=f"run of {names[0]}")).to_be_visible()
    expect(first.locator("[data-cell=running]")).to_contain_text("50%")
    expect(first.locator("time")).to_have_text("just now")
    expect(first.locator("time")).to_have_attribute("title", re.compile(r"\d{4}"))
    second.hover()
    second.get_by_role("button", name="Edit").click()
    second.get_by_label("Description").fill("being written")
    run = Writing(server, project=names[0], tag="another")
    run.points(run.graph("loss", "min"), [0], val_loss=[0.125])
    Writing(server, project=f"{word} quinces")
    expect(first.locator("[data-cell=running]")).to_contain_text("2 running", timeout=30_000)
    expect(first.locator(".best")).to_have_text("0.125", timeout=30_000)
    expect(row(page, f"{word} quinces")).to_be_visible(timeout=30_000)
    expect(second.get_by_label("Description")).to_have_value("being written")
    run.end("complete")
    expect(first.locator("[data-cell=running]")).to_contain_text("1 running", timeout=30_000)
    first.locator(".best").click()
    page.wait_for_url(f"**?s={run.session}*")


def test_a_server_that_is_away_is_told(page: Page, server: Server, names: list[str]) -> None:
    def refresh() -> None:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    page.goto(f"{server.url}/projects?q={names[0].split()[0]}")
    page.route("**/projects/rows", lambda route: route.abort())
    refresh()
    expect(page.get_by_text("server unreachable")).to_be_visible()
    expect(shown(page)).to_have_count(3)
    page.unroute("**/projects/rows")
    page.route("**/projects/rows", lambda route: route.fulfill(status=503, body="no"))
    refresh()
    expect(page.get_by_text("database unavailable")).to_be_visible()
    page.unroute("**/projects/rows")
    refresh()
    expect(page.locator("#lost")).to_be_empty()


@pytest.mark.full
def test_the_list_without_scripts_and_on_a_phone(
    sign_in: Callable[..., Page], server: Server, names: list[str]
) -> None:
    page = sign_in(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page.goto(f"{server.url}/projects")
    expect(row(page, names[0])).to_contain_text("UTC")
    expect(row(page, names[0])).to_contain_text("1 running")
    assert page.locator("html").evaluate("html => html.scrollWidth") <= 390
