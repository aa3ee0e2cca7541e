"""What stays of a choice of sessions: after one is deleted, after a visit."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import card, row, wait_drawn
from tests.support.batches import Writing
from tests.support.server import Server


def make(server: Server, project: Project, *tags: str) -> list[Writing]:
    runs = [Writing(server, project=project.name, tag=tag) for tag in tags]
    for run in runs:
        run.points(run.graph(), [0, 1], loss=[1, 0.5])
    return runs


def test_the_page_says_that_the_session_was_deleted(page: Page, server: Server, project: Project) -> None:
    _, watched = make(server, project, "kept", "watched")
    page.goto(project.address)
    row(page, "watched").locator(".tag").click()
    wait_drawn(page, "loss", watched.session, "loss")
    expect(page.locator("#live")).to_have_text("live")
    assert watched.session in page.url
    assert server.request("DELETE", f"/api/v2/sessions/{watched.session}").ok
    words = page.locator("#charts-empty h2")
    expect(words).to_have_text("watched is no longer in this project")
    assert watched.session not in page.url
    row(page, "kept").locator(".tag").click()
    expect(card(page, "loss")).to_be_visible()
    expect(words).to_be_hidden()
    row(page, "kept").locator("input").click()
    expect(words).to_have_text("Select sessions to see their graphs")


def test_an_address_of_a_session_that_is_gone_says_so(page: Page, server: Server, project: Project) -> None:
    _, gone = make(server, project, "kept", "gone")
    assert server.request("DELETE", f"/api/v2/sessions/{gone.session}").ok
    page.goto(f"{project.address}?s={gone.session}")
    expect(page.locator("#charts-empty h2")).to_have_text("The selected session does not exist, or has been deleted")
    assert gone.session not in page.url


@pytest.mark.full
def test_a_session_keeps_its_colour_at_the_next_visit(page: Page, server: Server, project: Project) -> None:
    make(server, project, "one", "two", "three")
    page.goto(project.address)

    def colours() -> list[str]:
        expect(page.locator("tr[aria-selected=true]")).to_have_count(3)
        swatch = "tag => getComputedStyle(tag).getPropertyValue('--session')"
        return [row(page, tag).locator("input.swatch").evaluate(swatch) for tag in ("one", "two", "three")]

    row(page, "one").locator(".tag").click()
    for tag in ("two", "three"):
        row(page, tag).locator("input").click()
    before = colours()
    assert len(set(before)) == 3
    page.reload()
    assert colours() == before
    page.goto(project.address)  # the newest are chosen by themselves, in another order
    assert colours() == before
