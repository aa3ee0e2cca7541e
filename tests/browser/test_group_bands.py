"""Groups of sessions in the charts: a mean with a band, from the address or chosen on the page."""

from __future__ import annotations

import math
import random
import re
import time
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import LOAD, card, drag, drawn, expect_shown, pixels, row, wait_drawn
from tests.support.batches import Writing
from tests.support.server import Server, eventually

BLUE = (66, 105, 208)
GROUP = "params.lr=0.1"
KEY = f"g:{GROUP}"


def make_group(server: Server, project: Project, count: int = 3, length: int = 200, **fields: Any) -> list[Writing]:
    """Sessions that are far enough apart to see their band, and one that is of no group."""
    noise = random.Random(1)
    now = time.time()
    runs = []
    for number in range(count + 1):
        params = {"lr": 0.1 if number < count else 0.5}
        run = Writing(server, project=project.name, tag=f"run {number}", params=params, **fields)
        xs = list(range(length))
        values = [1 + number + math.exp(-x / 50) + noise.random() * 0.1 for x in xs]
        run.points(run.graph("loss", "min"), xs, [now + x for x in xs], loss=values)
        run.points(run.graph("rate", None), [0, length - 1], rate=[1.0, 0.1])
        runs.append(run)
    return runs


def address(project: Project, **asked: str) -> str:
    query = "&".join([f"g={quote(GROUP)}", *(f"{name}={value}" for name, value in asked.items())])
    return f"{project.address}?{query}"


def band_pixels(page: Page, title: str = "loss") -> int:
    """How many pixels of the chart have a band's colour, which lets the background through."""
    return card(page, title).evaluate(
        """card => {
            const canvas = card.querySelector('.plot canvas');
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let count = 0;
            for (let at = 0; at < data.length; at += 4) {
                const colors = data.slice(at, at + 3);
                const isColored = Math.max(...colors) - Math.min(...colors) > 60;
                if (data[at + 3] > 40 && data[at + 3] < 90 && isColored) count += 1;
            }
            return count;
        }"""
    )


def wait_pixels(page: Page, low: int, high: int = 1_000_000) -> int:
    """The number of pixels of the band, once it is between these."""
    found: list[int] = []

    def is_between() -> bool:
        found.append(band_pixels(page))
        return low < found[-1] < high

    eventually(is_between)
    return found[-1]


def wait_band(page: Page, condition: str = "true", title: str = "loss", name: str = "loss") -> Any:
    """The group's columns, once they are there and `condition`, JavaScript with `line`, holds."""
    return wait_drawn(page, title, KEY, name, condition)


def legend(page: Page) -> Any:
    return card(page, "loss").locator(".legend").get_by_role("button")


def test_a_group_is_a_mean_with_a_band(page: Page, server: Server, project: Project) -> None:
    runs = make_group(server, project)
    page.goto(address(project))
    columns = wait_band(page)
    expect(page.locator(".card")).to_have_count(2)
    asked = {"project_id": runs[0].row()["project_id"], "q": GROUP, "title": "loss"}
    assert columns == server.get("/api/v2/series/groups", **asked)["series"]["loss"]
    assert columns["n"] == [3] * 200
    assert set(drawn(page, "loss")) == {KEY}  # the newest sessions leave the charts to the group
    expect(legend(page)).to_have_count(1)
    assert "3 sessions" in (legend(page).get_attribute("aria-label") or "")
    wait_pixels(page, 5_000)
    assert pixels(page, "loss", BLUE, (0.1, 0.0, 1.0, 1.0)) > 100
    # what the crosshair is at
    over = card(page, "loss").locator(".u-over")
    over.hover()
    tip = page.get_by_role("tooltip")
    expect(tip).to_contain_text("±")
    expect(tip).to_contain_text("n 3")
    at = int((tip.locator(".at").inner_text()).split()[-1])
    expect(tip).to_contain_text(f"{columns['mean'][at]:.3f}± {columns['sd'][at]:.3f}")
    expect(tip).to_contain_text(f"{columns['min'][at]:.3f} to {columns['max'][at]:.3f}")


def test_groups_in_the_graphs_are_listed_and_removed(page: Page, server: Server, project: Project) -> None:
    make_group(server, project)
    page.goto(f"{address(project)}&g={quote('params.lr=0.5')}&q=nothing_has_this")  # a filter that is not theirs
    wait_band(page)
    chips = page.get_by_role("list", name="Groups in the graphs").locator(".name")
    expect(chips).to_have_text(["params.lr = 0.1", "params.lr = 0.5"])
    page.get_by_role("button", name="Remove params.lr = 0.1 from the graphs").click()
    expect(chips).to_have_text(["params.lr = 0.5"])
    expect(page.get_by_role("button", name="Remove params.lr = 0.5 from the graphs")).to_be_focused()
    wait_drawn(page, "loss", "g:params.lr=0.5", "loss")
    assert set(drawn(page, "loss")) == {"g:params.lr=0.5"}
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Groups in the graphs")).to_be_hidden()
    page.go_back()  # changes in a row are one step
    expect(chips).to_have_text(["params.lr = 0.1", "params.lr = 0.5"])


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_the_band_is_chosen_once_and_kept(page: Page, server: Server, project: Project) -> None:
    make_group(server, project, count=6)
    page.goto(project.address)
    expect(page.locator(".card")).to_have_count(2)
    expect(page.locator("#band")).to_be_hidden()
    page.goto(address(project))
    wait_band(page)
    band = page.get_by_label("Band around the mean")
    expect(band).to_have_value("sd")
    deviation = wait_pixels(page, 5_000)
    band.select_option("minmax")
    expect(page).to_have_url(re.compile("band=minmax"))
    extremes = wait_pixels(page, deviation)
    band.select_option("se")
    wait_pixels(page, 2_000, deviation)
    band.select_option("none")
    expect(page).to_have_url(re.compile("band=none"))
    wait_pixels(page, -1, 1_000)
    assert extremes < 3 * deviation
    page.reload()
    wait_band(page)
    expect(band).to_have_value("none")
    page.goto(address(project))  # says nothing of how to draw
    wait_band(page)
    expect(band).to_have_value("none")
    page.goto(address(project, x="step"))
    expect(band).to_have_value("sd")


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_a_group_beside_sessions(page: Page, server: Server, project: Project) -> None:
    runs = make_group(server, project)
    page.goto(address(project, s=runs[3].session))
    wait_band(page)
    wait_drawn(page, "loss", runs[3].session, "loss")
    expect_shown(page, "run 3")
    expect(legend(page)).to_have_count(2)
    swatches = page.evaluate(
        LOAD
        + "(async () => { const { palette } = await load('data/store.js'); "
        + f"return [palette.color({KEY!r}), palette.color({runs[3].session!r})]; }})()"
    )
    assert len(set(swatches)) == 2
    both = wait_pixels(page, 3_000)
    legend(page).first.click()
    expect(legend(page).first).to_have_attribute("aria-pressed", "false")
    wait_pixels(page, -1, both // 4)
    page.reload()
    wait_band(page)
    expect(legend(page).first).to_have_attribute("aria-pressed", "false")
    for mode in ("elapsed", "time"):
        page.locator(f"[data-mode={mode}]").click()
        expect(card(page, "loss").locator(".card-notice")).to_contain_text("choose Step")
        expect(card(page, "loss").locator("canvas").first).to_be_visible()
    page.locator("[data-mode=percent]").click()
    expect(card(page, "loss").locator(".card-notice")).to_be_hidden()


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_an_axis_without_the_group_says_so(page: Page, server: Server, project: Project) -> None:
    runs = make_group(server, project)
    runs[0].points(runs[0].graph("loss", "min"), [500], loss=[1.0])
    page.goto(address(project, x="percent"))
    expect(card(page, "loss").locator(".nothing")).to_contain_text("differ in their number of steps")
    page.locator("[data-mode=step]").click()
    expect(card(page, "loss").locator("canvas").first).to_be_visible()


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_a_zoom_makes_finer_bins(page: Page, server: Server, project: Project) -> None:
    make_group(server, project, length=20_000)
    page.goto(address(project, smooth="0.5", log="1"))
    whole = wait_band(page)
    gap = whole["x"][2] - whole["x"][1]
    assert gap > 8
    drag(page, "loss", 0.5, 0.52)
    fine = wait_band(page, f"line.x[2] - line.x[1] < {gap}")
    assert fine["x"][0] > 5_000
    page.keyboard.press("Escape")
    wait_band(page, "line.x[0] === 0")


def test_a_group_is_live(page: Page, server: Server, project: Project) -> None:
    runs = make_group(server, project)
    page.set_default_timeout(30_000)
    page.goto(address(project))
    wait_band(page)
    expect(page.locator("#live")).to_have_text("live")
    for x in range(200, 210):
        for run in runs[:3]:
            run.points(run.graph("loss", "min"), [x], loss=[5.0])
    line = wait_band(page, "line.x.at(-1) === 209 && line.n.at(-1) === 3")
    assert line["mean"][-1] == 5.0
    # a session that begins to match, with a graph that the others do not have
    run = Writing(server, project=project.name, tag="late", params={"lr": 0.1})
    run.points(run.graph("loss", "min"), [0], loss=[1.0])
    run.points(run.graph("accuracy", "max"), [0, 1], accuracy=[0.5, 0.6])
    wait_band(page, "line.n[0] === 4")
    wait_band(page, "line.n[0] === 1", "accuracy", "accuracy")


@pytest.mark.full_on_postgresql
def test_a_group_is_put_into_the_charts_and_taken_out(page: Page, server: Server, project: Project) -> None:
    make_group(server, project)
    page.goto(project.address)
    expect_shown(page, "run 3", "run 2", "run 1", "run 0")
    toggle = (
        LOAD
        + "(async () => { const choice = await load('data/group_choice.js'); "
        + f"choice.toggleGroup({GROUP!r}); return choice.isGroupChosen({GROUP!r}); }})()"
    )
    assert page.evaluate(toggle) is True
    wait_band(page)
    expect(legend(page)).to_have_count(1)
    assert (legend(page).get_attribute("aria-label") or "").startswith("params.lr = 0.1")
    page.locator("#search").fill("run 3")  # the group does not depend on it
    expect(page.locator("#sessions .tag")).to_have_text(["run 3"])
    assert wait_band(page)["n"][0] == 3
    row(page, "run 3").locator(".tag").click()
    wait_drawn(page, "loss", KEY, "loss")
    page.locator("#search").fill("")  # within another search it is another group
    expect(row(page, "run 2")).to_be_visible()
    assert page.evaluate(toggle) is False
    expect(page).not_to_have_url(re.compile("g="))
    expect(page.locator("#band")).to_be_hidden()
    expect(legend(page)).to_have_count(1)
    page.go_back()
    wait_band(page)


@pytest.mark.full
def test_a_group_that_cannot_be(page: Page, project: Project) -> None:
    Writing(project.server, project=project.name, tag="alone")
    page.goto(f"{project.address}?g={quote('lr=(')}")
    expect(page.locator(".toast")).to_contain_text("cannot be shown")
    page.goto(f"{project.address}?g={quote('lr=7')}")
    expect(page.locator("#charts-empty")).to_contain_text("no graph yet")
