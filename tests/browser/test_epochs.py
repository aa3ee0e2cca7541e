"""Charts of a session that repeats its steps in each epoch."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import LOAD, card, wait_drawn
from tests.support.batches import Writing
from tests.support.server import Server

EPOCHS, STEPS = 5, 200
DRAWN = f"""async ([graph, name, mode]) => {{ {LOAD}    const {{ layerOf }} = await load('data/series_store.js');
    const {{ displayLine }} = await load('charts/display_line.js');
    return displayLine(layerOf(graph).lines.get(name), mode);
}}"""
# how much of the picture has the curve's colour
COVER = """card => {
    const canvas = card.querySelector('.plot canvas');
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    let inked = 0;
    for (let at = 0; at < data.length; at += 4)
        if (data[at + 3] > 200 && data[at + 2] > data[at] + 60) inked += 1;
    return inked / (width * height);
}"""


def epochs(server: Server, project: Project) -> tuple[Writing, str]:
    """Five epochs of 200 steps: a loss that rises in each and falls from one to the next, and a NaN in the third."""
    run = Writing(server, project=project.name, tag="epochs", created_at=time.time() - 1000)
    graph = run.graph()
    began = time.time() - 1000
    for epoch in range(EPOCHS):
        xs = list(range(STEPS))
        ys: list[float | str] = [5.0 - epoch + x / STEPS for x in xs]
        if epoch == 2:
            ys[50] = "NaN"
        run.points(graph, xs, [began + epoch * STEPS + x for x in xs], loss=ys)
    return run, graph


def shown(page: Page, graph: str, mode: str) -> Any:
    return page.evaluate(DRAWN, [graph, "loss", mode])


def test_repeated_steps_are_a_band_on_step_and_one_curve_in_time(page: Page, server: Server, project: Project) -> None:
    run, graph = epochs(server, project)
    page.goto(project.address)
    wait_drawn(page, "loss", run.session, "loss", f"line.x.length === {EPOCHS * STEPS}")
    step = shown(page, graph, "step")
    assert step["x"] == list(range(STEPS))
    assert (step["lo"][0], step["mid"][0], step["hi"][0]) == (1.0, 3.0, 5.0)
    assert [x for x, bad in enumerate(step["bad"]) if bad] == [50]
    over = card(page, "loss").locator(".u-over")
    over.hover()
    expect(page.locator(".tip")).to_have_text(
        re.compile(r"step (99loss3.495.*1.495 to 5.495|100loss3.500.*1.500 to 5.500)")
    )
    for mode in ("elapsed", "time"):
        page.locator(f"[data-mode={mode}]").click()
        line = shown(page, graph, mode)
        assert line["t"] == sorted(line["t"])
        assert line["x"] == list(range(STEPS)) * EPOCHS
        assert [at for at, bad in enumerate(line["bad"]) if bad] == [2 * STEPS + 50]
        page.wait_for_timeout(200)
        assert card(page, "loss").evaluate(COVER) < 0.03  # a curve: a scribble covers a multiple of it
    page.locator("[data-mode=step]").click()


@pytest.mark.parametrize("xs", [[0, 1, 2, 2], [0, 0, 1, 2], [0, 1, 1, 2, 3, 3], [7, 7, 7]])
def test_a_step_that_alone_has_several_points_shows_each(
    page: Page, server: Server, project: Project, xs: list[int]
) -> None:
    run = Writing(server, project=project.name, tag="double")
    graph = run.graph()
    run.points(graph, xs, loss=[float(n) for n in range(len(xs))])
    page.goto(project.address)
    wait_drawn(page, "loss", run.session, "loss", f"line.x.length === {len(xs)}")
    line = shown(page, graph, "step")
    assert line["x"] == xs
    assert line["mid"] == line["lo"] == line["hi"] == [float(n) for n in range(len(xs))]
