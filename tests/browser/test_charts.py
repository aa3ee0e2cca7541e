"""The charts: what they draw is what the server holds, live, at every zoom."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import card, drag, drawn, pixels, row, wait_drawn
from tests.support.batches import Writing
from tests.support.server import Server

BAD = (196, 36, 36)
BLUE = (66, 105, 208)


def make_long(server: Server, project: Project, count: int = 200_000) -> tuple[Writing, str]:
    """A noisy curve with a spike of one point in its middle and one NaN at three quarters."""
    writing = Writing(server, project=project.name, tag="long", max_iter=count)
    graph = writing.graph("loss", "min")
    noise = random.Random(1)
    values: list[float | str] = [0.1 + noise.random() * 0.05 for _ in range(count)]
    values[count // 2] = 9.0
    values[count * 3 // 4] = "NaN"
    now = time.time()
    for start in range(0, count, 100_000):
        xs = list(range(start, start + 100_000))
        writing.points(graph, xs, [now + x / 1000 for x in xs], train_loss=values[start : start + 100_000])
    return writing, graph


def test_every_chart_draws_what_the_read_api_says(page: Page, server: Server, project: Project) -> None:
    first, second = (Writing(server, project=project.name, tag=tag) for tag in ("first", "second"))
    for writing in (first, second):
        loss, accuracy = writing.graph("loss", "min"), writing.graph("accuracy", "max")
        writing.points(loss, [0, 1, 2, 2], train_loss=[1.0, "NaN", 0.25, 0.3], val_loss=[2, None, 1.5, "-Infinity"])
        writing.points(accuracy, [0, 5], val_accuracy=[0.5, 0.75])
    page.goto(project.address)
    expect(page.locator(".card")).to_have_count(2)
    wait_drawn(page, "accuracy", first.session, "val_accuracy")
    wait_drawn(page, "accuracy", second.session, "val_accuracy")
    for writing in (first, second):
        for graph in writing.row()["graphs"]:
            stored = {name: {"x": c["x"], "y": c["y"]} for name, c in server.points(graph["id"]).items()}
            assert drawn(page, graph["title"])[writing.session] == stored
    expect(card(page, "loss").locator("canvas").first).to_be_visible()
    expect(card(page, "accuracy").locator(".facts")).to_contain_text("max · best 0.75")


def test_the_last_value_changes_without_a_reload(page: Page, server: Server, project: Project) -> None:
    writing = Writing(server, project=project.name, tag="live")
    graph = writing.graph()
    writing.points(graph, [0, 1], train_loss=[1, 0.5])
    page.goto(project.address)
    wait_drawn(page, "loss", writing.session, "train_loss", "line.x.length === 2")
    expect(page.locator("#live")).to_have_text("live")
    for x in range(2, 6):
        writing.points(graph, [x], train_loss=[1 / x])
        page.wait_for_timeout(150)
    page.set_default_timeout(2000)
    line = wait_drawn(page, "loss", writing.session, "train_loss", "line.x.at(-1) === 5")
    stored = server.points(graph)["train_loss"]
    assert line == {"x": stored["x"], "y": stored["y"]}
    # a graph that did not exist when the page was opened
    writing.points(writing.graph("accuracy", "max"), [5], val_accuracy=[0.9])
    wait_drawn(page, "accuracy", writing.session, "val_accuracy")


def test_nothing_is_lost_when_the_connection_was(page: Page, server: Server, project: Project) -> None:
    writing = Writing(server, project=project.name, tag="away")
    graph = writing.graph()
    writing.points(graph, [0], train_loss=[1])
    page.goto(project.address)
    wait_drawn(page, "loss", writing.session, "train_loss")
    expect(page.locator("#live")).to_have_text("live")
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('pagehide'))")  # Chromium keeps an open stream when it goes offline
    writing.points(graph, [1, 2, 3], train_loss=[0.5, 0.4, 0.3])
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    line = wait_drawn(page, "loss", writing.session, "train_loss", "line.x.length === 4")
    assert line["y"] == [1, 0.5, 0.4, 0.3]


@pytest.mark.full_on_postgresql
def test_a_server_that_stops_and_comes_back(new_page: Callable[..., Page], own_server: Server) -> None:
    writing = Writing(own_server, tag="away")
    graph = writing.graph()
    writing.points(graph, [0], train_loss=[1])
    port = own_server.port
    page = new_page()
    page.goto(own_server.sign_in_link())
    page.wait_for_url("**/projects/*")
    wait_drawn(page, "loss", writing.session, "train_loss")
    expect(page.locator("#live")).to_have_text("live")
    own_server.stop()
    expect(page.locator("#live")).to_have_text("server unreachable", timeout=15_000)
    expect(row(page, "away")).to_be_visible()
    own_server.start(port=port)
    writing.points(graph, [1], train_loss=[0.5])
    wait_drawn(page, "loss", writing.session, "train_loss", "line.x.length === 2")
    expect(page.locator("#live")).to_have_text("live", timeout=20_000)


def test_without_a_stream_the_page_polls_and_says_so(page: Page, server: Server, project: Project) -> None:
    writing = Writing(server, project=project.name, tag="asking")
    graph = writing.graph()
    writing.points(graph, [0], train_loss=[1])
    page.route("**/live?*", lambda route: route.fulfill(status=503, body=""))
    page.goto(project.address)
    expect(page.locator("#live")).to_have_text("polling every 2 s")
    writing.points(graph, [1], train_loss=[0.5])
    wait_drawn(page, "loss", writing.session, "train_loss", "line.x.length === 2")


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize("count", [200_000, pytest.param(10_000_000, marks=pytest.mark.full)])
def test_a_spike_and_a_nan_are_seen_on_a_long_graph(page: Page, server: Server, project: Project, count: int) -> None:
    writing, _ = make_long(server, project, count)
    page.goto(project.address)
    line = wait_drawn(page, "loss", writing.session, "train_loss")
    assert max(line["max"]) == 9.0
    assert sum(1 for bad in line["bad"] if bad) == 1
    expect(card(page, "loss").locator(".broken")).to_contain_text(f"NaN at {count * 3 // 4:,}")
    expect(row(page, "long")).to_contain_text(f"NaN at {count * 3 // 4:,}")
    page.wait_for_timeout(300)
    assert pixels(page, "loss", BAD, (0.6, 0.0, 0.9, 0.15)) > 20  # the triangle at the upper edge
    assert pixels(page, "loss", BAD, (0.0, 0.0, 0.6, 1.0)) == 0
    # the spike leaves a trace between the curve below and its top, and nothing else does
    spike = card(page, "loss").evaluate(
        """card => {
            const canvas = card.querySelector('.plot canvas');
            const { width, height } = canvas;
            const { data } = canvas.getContext('2d').getImageData(0, Math.round(height * 0.3), width, 1);
            const columns = [];
            for (let x = 0; x < width; x += 1) {
                const [red, , blue, alpha] = data.slice(4 * x);
                if (alpha && blue > red + 25) columns.push(x / width);
            }
            return columns;
        }"""
    )
    assert spike
    assert all(0.45 < x < 0.6 for x in spike)


@pytest.mark.full_on_postgresql
def test_box_zoom_fetches_finer_data_for_every_chart(page: Page, server: Server, project: Project) -> None:
    writing, graph = make_long(server, project)
    writing.points(writing.graph("rate", None), [0, 200_000], rate=[1, 0])
    page.goto(project.address)
    whole = wait_drawn(page, "loss", writing.session, "train_loss")
    gap = whole["x"][11] - whole["x"][10]
    expect(page.locator("#reset-zoom")).to_be_disabled()
    drag(page, "loss", 0.25, 0.27)
    fine = wait_drawn(page, "loss", writing.session, "train_loss", "line.x[0] > 20000 && line.x.at(-1) < 100000")
    assert fine["x"][11] - fine["x"][10] < gap / 5
    drag(page, "loss", 0.4, 0.45)
    exact = wait_drawn(page, "loss", writing.session, "train_loss", "line.y !== undefined")
    window = {"x0": exact["x"][0], "x1": exact["x"][-1]}
    answer = server.get("/api/v2/series", graph=graph, width=2000, **window)["graphs"][graph]
    assert answer["exact"]
    assert exact["y"] == answer["series"]["train_loss"]["y"]
    page.locator("#reset-zoom").click()
    wait_drawn(page, "loss", writing.session, "train_loss", "line.x[0] === 0 && line.x.at(-1) > 190000")


def test_the_legend_smoothing_and_axes_change_the_picture(page: Page, server: Server, project: Project) -> None:
    writing = Writing(server, project=project.name, tag="run", max_iter=100)
    noise = random.Random(2)
    xs = list(range(100))
    y = {"train_loss": [1 / (x + 1) + noise.random() * 0.2 for x in xs], "val_loss": [1.2 / (x + 1) for x in xs]}
    now = time.time()
    writing.points(writing.graph(), xs, [now - 100 + x for x in xs], **y)
    page.goto(project.address)
    wait_drawn(page, "loss", writing.session, "val_loss")
    page.wait_for_timeout(200)

    def picture() -> str:
        page.wait_for_timeout(150)
        return str(card(page, "loss").evaluate("card => card.querySelector('.plot canvas').toDataURL()"))

    seen = [picture()]
    page.locator(".legend").get_by_role("button", name="train").click()
    seen.append(picture())
    page.locator(".legend").get_by_role("button", name="train").click()
    assert picture() == seen[0]
    page.locator("#smooth").fill("0.8")
    seen.append(picture())
    page.locator("#log-y").click()
    seen.append(picture())
    for mode in ("elapsed", "time", "percent"):
        page.locator(f"[data-mode={mode}]").click()
        seen.append(picture())
    assert len(set(seen)) == len(seen)


def test_the_crosshair_is_shared_and_tells_the_values(page: Page, server: Server, project: Project) -> None:
    writing = Writing(server, project=project.name, tag="run")
    for title, value in (("loss", 0.125), ("accuracy", 0.875)):
        writing.points(writing.graph(title, None), [0, 1, 2], **{title: [value] * 3})
    page.goto(project.address)
    wait_drawn(page, "accuracy", writing.session, "accuracy")
    card(page, "loss").locator(".u-over").hover()
    expect(page.locator(".tip")).to_contain_text("step 1")
    expect(page.locator(".tip")).to_contain_text("0.1250")
    expect(card(page, "accuracy").locator(".spot").first).to_be_visible()
    page.mouse.move(5, 5)
    expect(page.locator(".tip")).to_be_hidden()
