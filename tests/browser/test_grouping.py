"""The session table, grouped: by mouse, by keyboard alone, while sessions run, after a reload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import expect_shown, row
from tests.support.batches import Writing
from tests.support.server import Server

LRS = [0.1, 0.01, 0.001]
FOLLOWED_MS = 30_000
"""Within which the page must have followed a change: groups are asked for again every few seconds at most."""


def make(server: Server, project: Project, number: int) -> Writing:
    """A session with a param `lr` of three values, an optimizer of two, and a loss."""
    params = {"lr": LRS[number % 3], "optimizer": {"name": ["adam", "sgd"][number // 3 % 2]}}
    run = Writing(server, project=project.name, tag=f"run {number}", params=params)
    run.points(run.graph(), [0, 1], loss=[1.0, number / 8])
    return run


def groups(page: Page) -> Locator:
    return page.locator("#sessions tr.group")


def names(page: Page) -> Locator:
    return page.locator("#sessions tr.group .tag")


def group(page: Page, name: str) -> Locator:
    return page.locator("#sessions tr.group", has=page.locator("b").get_by_text(name, exact=True))


def cell(page: Page, within: Locator, title: str) -> Locator:
    at = page.locator(f'#sessions th[title="{title}"]').evaluate("th => th.cellIndex")
    return within.locator("td").nth(at)


def asked(page: Page, name: str) -> list[str]:
    return parse_qs(urlparse(page.url).query).get(name, [])


@pytest.mark.full_on_postgresql
def test_rows_are_grouped_by_mouse(page: Page, server: Server, project: Project) -> None:
    for number in range(6):
        make(server, project, number).end("complete")
    page.goto(project.address)
    page.locator("#grouping summary").click()
    page.locator("#grouping .item", has_text="optimizer.name").click()
    expect(names(page)).to_have_text(["optimizer.name = adam", "optimizer.name = sgd"])
    page.locator("#grouping .item", has_text="lr").first.click()
    assert asked(page, "by") == ["optimizer.name", "lr"]
    page.locator("#grouping").get_by_label("Move lr up").click()
    expect(names(page)).to_have_text(["lr = 0.001", "lr = 0.01", "lr = 0.1"])
    page.keyboard.press("Escape")
    low = group(page, "0.1")
    expect(low.locator(".group-count")).to_have_text("2")
    expect(low.locator(".group-status")).to_have_text("2 complete")
    loss = cell(page, low, "min(loss)")
    expect(loss).to_have_text("0.19 ± 0.27 · best 0")
    assert "best 0" in (loss.get_attribute("title") or "")
    # open, to the second level and to the sessions; the heads stay the same elements
    page.locator('#sessions th[title="min(loss)"]').evaluate("th => th.dataset.kept = 'yes'")
    low.locator(".fold").click()
    expect(low).to_have_attribute("aria-expanded", "true")
    expect(page.locator('#sessions th[title="min(loss)"]')).to_have_attribute("data-kept", "yes")
    inner = group(page, "sgd")
    expect(inner).to_have_attribute("aria-level", "2")
    inner.locator(".tag").click()
    expect(row(page, "run 3")).to_have_attribute("aria-level", "3")
    row(page, "run 3").locator(".tag").click()
    expect_shown(page, "run 3")
    # sorted by a statistic's mean
    page.locator('#sessions th[title="min(loss)"] button').click()
    expect(names(page)).to_have_text(
        ["lr = 0.1", "optimizer.name = adam", "optimizer.name = sgd", "lr = 0.01", "lr = 0.001"]
    )
    page.locator('#sessions th[title="min(loss)"] button').click()
    expect(names(page).first).to_have_text("lr = 0.001")
    # all of that is there after a reload
    page.reload()
    expect(row(page, "run 3")).to_have_attribute("aria-selected", "true")
    expect(names(page).first).to_have_text("lr = 0.001")
    # the whole is closed with the outer group, and plain again without levels
    group(page, "0.1").locator(".fold").click()
    expect(groups(page)).to_have_count(3)
    assert asked(page, "open") == []
    page.locator("#grouping summary").click()
    page.get_by_role("button", name="No grouping").click()
    expect(groups(page)).to_have_count(0)
    expect(page.locator("#sessions tr[data-session]")).to_have_count(6)
    expect(page.locator("#sessions")).to_have_attribute("role", "grid")


@pytest.mark.full_on_postgresql
def test_rows_are_grouped_by_keys(page: Page, server: Server, project: Project) -> None:
    for number in range(6):
        make(server, project, number)
    page.goto(project.address)
    expect(row(page, "run 5")).to_be_visible()
    page.locator("#grouping summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#grouping input")).to_be_focused()
    expect(page.locator("#grouping .item").first).to_be_visible()
    page.keyboard.type("lr")
    page.keyboard.press("Enter")
    expect(groups(page)).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator("#grouping summary")).to_be_focused()
    page.keyboard.press("j")
    expect(groups(page).first).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(groups(page).nth(1)).to_have_attribute("aria-expanded", "true")
    expect(row(page, "run 4")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(row(page, "run 4")).to_be_focused()
    page.keyboard.press("Shift+ArrowDown")
    expect_shown(page, "run 4", "run 1")
    page.keyboard.press("ArrowLeft")
    expect(groups(page).nth(1)).to_be_focused()
    page.keyboard.press("Space")
    expect(groups(page).nth(1).locator("input")).to_be_checked()
    assert asked(page, "g") == ["lr=0.01"]
    page.keyboard.press("ArrowLeft")
    expect(groups(page).nth(1)).to_have_attribute("aria-expanded", "false")
    expect(page.locator("#sessions tr[data-session]")).to_have_count(0)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(groups(page).first).to_have_attribute("aria-selected", "true")
    assert asked(page, "g") == ["lr=0.001"]
    page.keyboard.press("m")
    expect(page.get_by_role("menu", name="Actions for lr = 0.001")).to_be_visible()
    page.keyboard.press("Escape")
    expect(groups(page).first).to_be_focused()


@pytest.mark.full
def test_groups_follow_sessions_that_start_end_and_go(page: Page, server: Server, project: Project) -> None:
    runs = [make(server, project, number) for number in range(3)]
    page.goto(f"{project.address}?by=lr&open=lr%3D0.1")
    expect(row(page, "run 0")).to_be_visible(timeout=FOLLOWED_MS)
    expect(page.locator("#live")).to_have_text("live")
    low = group(page, "0.1")
    expect(low.locator(".running")).to_be_visible(timeout=FOLLOWED_MS)
    newest = make(server, project, 3)
    expect(low.locator(".group-count")).to_have_text("2", timeout=FOLLOWED_MS)
    expect(row(page, "run 3")).to_be_visible(timeout=FOLLOWED_MS)
    other = Writing(server, project=project.name, tag="other")
    expect(groups(page)).to_have_count(4, timeout=FOLLOWED_MS)
    expect(names(page).last).to_have_text("no lr", timeout=FOLLOWED_MS)
    other.end("complete")
    expect(groups(page).last.locator(".group-status")).to_have_text("1 complete", timeout=FOLLOWED_MS)
    expect(groups(page).last.locator(".running")).to_be_hidden(timeout=FOLLOWED_MS)
    assert server.request("DELETE", f"/api/v2/sessions/{newest.session}").ok
    expect(row(page, "run 3")).to_have_count(0, timeout=FOLLOWED_MS)
    expect(low.locator(".group-count")).to_have_text("1", timeout=FOLLOWED_MS)
    runs[0].end("failed")
    expect(low.locator(".group-status")).to_have_text("1 failed", timeout=FOLLOWED_MS)


@pytest.mark.full
def test_a_break_is_made_up_for(page: Page, server: Server, project: Project) -> None:
    make(server, project, 0)
    page.goto(f"{project.address}?by=lr&open=lr%3D0.1")
    expect(row(page, "run 0")).to_be_visible(timeout=FOLLOWED_MS)
    page.context.set_offline(True)
    make(server, project, 3)
    make(server, project, 1)
    page.context.set_offline(False)
    expect(names(page)).to_have_text(["lr = 0.01", "lr = 0.1"], timeout=FOLLOWED_MS)
    expect(row(page, "run 3")).to_be_visible(timeout=FOLLOWED_MS)


@pytest.mark.full_on_postgresql
def test_what_can_be_done_to_a_group(page: Page, server: Server, project: Project) -> None:
    for number in range(6):
        make(server, project, number)
    page.goto(f"{project.address}?by=lr&open=lr%3D0.1")
    expect(row(page, "run 3")).to_be_visible()

    def choose(name: str) -> None:
        group(page, "0.1").locator(".tag").click(button="right")
        page.get_by_role("menuitem", name=name).click()

    choose("Select all 2 sessions")
    expect(page.locator("#chosen")).to_have_text("2 selected ▾")
    expect_shown(page, "run 3", "run 0")
    page.locator("#chosen").click()
    page.get_by_role("menuitem", name="Archive").click()
    expect(page.locator(".toast")).to_contain_text("2 sessions archived")
    expect(names(page)).to_have_text(["lr = 0.001", "lr = 0.01"])
    page.keyboard.press("z")
    expect(names(page)).to_have_text(["lr = 0.001", "lr = 0.01", "lr = 0.1"])
    choose("Search for this group")
    expect(page.locator("#search")).to_have_value("lr=0.1")
    expect(names(page)).to_have_text(["lr = 0.1"])
    # a group's queries go with the search
    page.locator("#search").fill("lr=0.1 or run")
    expect(groups(page)).to_have_count(3)
    page.locator("#search").fill("optimizer.name=adam")
    expect(group(page, "0.1").locator(".group-count")).to_have_text("1")
    expect(row(page, "run 3")).to_have_count(0)
    # a header's menu adds a level
    page.locator('#sessions th[title="Status"]').click(button="right")
    page.get_by_role("menuitem", name="Then group by this").click()
    assert asked(page, "by") == ["lr", "status"]


@pytest.mark.full
def test_the_same_session_is_in_the_group_of_each_tag(page: Page, server: Server, project: Project) -> None:
    Writing(server, project=project.name, tag="both", tags=["a", "b"])
    Writing(server, project=project.name, tag="neither")
    page.goto(f"{project.address}?by=tags&open=tags%3Da&open=tags%3Db")
    expect(names(page)).to_have_text(["tags = a", "tags = b", "no tags"])
    expect(row(page, "both")).to_have_count(2)
    row(page, "both").first.locator(".tag").click()
    expect(row(page, "both").last).to_have_attribute("aria-selected", "true")


@pytest.mark.full
def test_a_long_group_is_shown_in_parts(page: Page, server: Server, project: Project) -> None:
    for number in range(130):
        Writing(server, project=project.name, tag=f"run {number}", group="all", params={"seed": number})
    page.goto(f"{project.address}?by=group&open=group%3Dall")
    more = page.get_by_role("button", name="Show more")
    expect(row(page, "run 129")).to_be_visible()
    page.locator("#table-scroll").evaluate("box => box.scrollTo(0, 1e6)")
    expect(row(page, "run 30")).to_be_visible()
    more.click()
    expect(row(page, "run 29")).to_be_visible()
    expect(more).to_have_count(0)
    # groups of the first level come as they are scrolled to
    page.goto(f"{project.address}?by=params.seed")
    expect(page.locator("#sessions tr[data-row]").first).to_contain_text("params.seed = 0")
    page.wait_for_function(
        """() => {
            const box = document.querySelector('#table-scroll');
            box.scrollTo(0, 1e6);
            return [...box.querySelectorAll('.group b')].some((b) => b.textContent === '129');
        }"""
    )


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_there_may_be_no_groups(page: Page, server: Server, project: Project) -> None:
    only = make(server, project, 0)
    page.goto(f"{project.address}?by=lr&q=nothing")
    expect(page.locator("#table-empty")).to_contain_text("No session matches")
    page.goto(f"{project.address}?by=lr&q=%28")
    expect(page.locator("#mistake")).to_be_visible()
    expect(names(page)).to_have_text(["lr = 0.1"])
    page.goto(f"{project.address}?by=elapsed")
    expect(page.locator(".toast")).to_contain_text("cannot be grouped by elapsed")
    expect(row(page, "run 0")).to_be_visible()
    assert server.request("DELETE", f"/api/v2/sessions/{only.session}").ok
    page.goto(f"{project.address}?by=lr")
    expect(page.locator("#table-empty")).to_contain_text("Waiting for the first session")


@pytest.mark.full_on_postgresql
def test_groups_on_a_phone(sign_in: Callable[..., Page], server: Server, project: Project) -> None:
    for number in range(3):
        make(server, project, number)
    options: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
    page = sign_in(**options)
    page.goto(project.address)
    page.locator("#grouping summary").tap()
    page.locator("#grouping .item", has_text="lr").first.tap()
    expect(groups(page)).to_have_count(3)
    page.locator("h1").evaluate("() => document.querySelector('#grouping').open = false")
    group(page, "0.01").locator(".tag").tap()
    expect(row(page, "run 1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
