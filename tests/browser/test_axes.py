"""What the horizontal axis, its tooltip and the table say of numbers that are long or close together."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import card, drag, row, wait_drawn
from tests.support.batches import Writing
from tests.support.server import Server

FIRST = 1_795_743_817_000
# what is written on a chart's canvas: uPlot writes with fillText
WATCH = """
const plain = CanvasRenderingContext2D.prototype.fillText;
globalThis.written = [];
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
    const { a, d, e, f } = this.getTransform();
    if (this.canvas.closest('.plot') && this.textBaseline === 'top' && text !== '') {
        const width = this.measureText(text).width;
        const [middle, top] = [a * x + e, d * y + f];
        globalThis.written.push({ text, left: middle - width / 2, right: middle + width / 2, bottom: top + 11 });
    }
    return plain.apply(this, arguments);
};
"""


def ticks(page: Page) -> list[dict[str, Any]]:
    """The labels below a chart, as they are written next."""
    page.wait_for_timeout(200)  # what was asked for before is drawn
    page.evaluate("globalThis.written = []; dispatchEvent(new Event('losswise:theme'))")
    page.wait_for_timeout(200)
    found = {one["text"]: one for one in page.evaluate("globalThis.written")}
    return sorted(found.values(), key=lambda one: one["left"])


def expect_apart(page: Page, atleast: int) -> list[str]:
    """The labels are at least so many, each another, none over the next or over the edge."""
    found = ticks(page)
    assert len(found) >= atleast
    width = card(page, "loss").locator(".plot canvas").evaluate("canvas => canvas.width")
    assert [one for one in found if one["right"] > width + 1] == []
    for one, following in pairwise(found):
        assert one["right"] < following["left"]
    return [one["text"] for one in found]


@pytest.mark.full
@pytest.mark.parametrize("width", [1440, 390])
def test_steps_in_milliseconds_are_told_apart(page: Page, server: Server, project: Project, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(WATCH)
    run = Writing(server, project=project.name, tag="ms")
    run.points(run.graph(), [FIRST + 100 * n for n in range(200)], loss=[1 / (n + 1) for n in range(200)])
    page.goto(project.address)
    wait_drawn(page, "loss", run.session, "loss")
    expect(row(page, "ms").locator("td", has_text=re.compile("^1,795,743"))).to_have_attribute(
        "title", f"{FIRST + 19_900:,}"
    )
    assert all(re.fullmatch(r"1,795,743,8\d\d,000", text) for text in expect_apart(page, 2))
    drag(page, "loss", 0.4, 0.5)
    page.wait_for_timeout(300)
    expect_apart(page, 1)


@pytest.mark.parametrize("last", [7, 950, 18_940, 2_000_000])
def test_short_numbers_stay_short(page: Page, server: Server, project: Project, last: int) -> None:
    page.add_init_script(WATCH)
    run = Writing(server, project=project.name, tag="short")
    run.points(run.graph(), [0, last], loss=[1, 0.5])
    page.goto(project.address)
    wait_drawn(page, "loss", run.session, "loss")
    assert all(re.fullmatch(r"[\d.]+[kM]?", text) for text in expect_apart(page, 4))


def test_elapsed_below_a_second_is_told_in_milliseconds(page: Page, server: Server, project: Project) -> None:
    page.add_init_script(WATCH)
    began = time.time() - 100
    run = Writing(server, project=project.name, tag="quick", created_at=began)
    run.points(
        run.graph(), list(range(400)), [began + n / 200 for n in range(400)], loss=[1 / (n + 1) for n in range(400)]
    )
    page.goto(project.address)
    wait_drawn(page, "loss", run.session, "loss")
    page.locator("[data-mode=elapsed]").click()
    assert "500ms" in expect_apart(page, 4)
    drag(page, "loss", 0.2, 0.25)
    page.wait_for_timeout(300)
    assert all(re.fullmatch(r"[\d.]+ms", text) for text in expect_apart(page, 2))
    card(page, "loss").locator(".u-over").hover()
    expect(page.locator(".tip .at")).to_have_text(re.compile(r"after \d{3}ms"))


def test_the_clock_s_date_is_seen_below_its_times(page: Page, server: Server, project: Project) -> None:
    page.add_init_script(WATCH)
    run = Writing(server, project=project.name, tag="clock", created_at=1_700_000_000.0)
    run.points(run.graph(), [0, 1], [1_700_000_000.0, 1_700_004_000.0], loss=[1, 0.5])
    page.goto(project.address)
    wait_drawn(page, "loss", run.session, "loss")
    page.locator("[data-mode=time]").click()
    found = ticks(page)
    assert any(re.fullmatch(r"\d\d:\d0", one["text"]) for one in found)
    assert any(re.fullmatch(r"\d+ Nov 2023", one["text"]) for one in found)
    height = card(page, "loss").locator(".plot canvas").evaluate("canvas => canvas.height")
    assert all(one["bottom"] <= height for one in found)
