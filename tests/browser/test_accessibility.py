"""Every page, in light and dark, wide and narrow, checked by axe-core: no violation that it calls serious or critical.

axe-core is an npm package among those that check the scripts (tests/scripts.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from losswise.protocol import records
from tests import scripts
from tests.browser.conftest import Project
from tests.browser.looking import row
from tests.support.batches import Writing
from tests.support.server import Server

WORST = ("serious", "critical")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
LOOKS = [
    pytest.param("light", 1440, id="light"),
    pytest.param("dark", 390, id="dark-narrow", marks=pytest.mark.full),
    pytest.param("dark", 1440, id="dark", marks=pytest.mark.full),
    pytest.param("light", 390, id="light-narrow", marks=pytest.mark.full),
]


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    if scripts.npm.command("npm") is None:
        message = "axe-core comes with npm, which is not installed"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    scripts.install()
    return (scripts.CACHE / "node_modules" / "axe-core" / "axe.min.js").read_text()


def look_of(scheme: str, width: int) -> dict[str, Any]:
    """The options of a page that looks so."""
    # axe-core is put into the page, which the Content-Security-Policy forbids
    return {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}


def check(page: Page, axe: str, what: str, within: str = "html") -> None:
    """Check the page, or an element of it: what it covers in part would count as too small."""
    page.evaluate("(source) => { if (!window.axe) (0, eval)(source); }", axe)
    # what fades in has little contrast meanwhile
    page.evaluate(
        "() => document.getAnimations().forEach((one) => one.effect.getComputedTiming().endTime < 1e6 && one.finish())"
    )
    run = "([within, rules]) => axe.run(within, rules).then(({ violations }) => violations)"
    found = page.evaluate(run, [within, RULES])
    bad = [
        f"{one['id']} ({one['impact']}): {one['help']}: " + "; ".join(node["html"][:160] for node in one["nodes"][:4])
        for one in found
        if one["impact"] in WORST
    ]
    assert not bad, f"{what}:\n" + "\n".join(bad)


def make(server: Server, project: Project, tag: str, age: float = 0.0, **fields: Any) -> Writing:
    writing = Writing(server, project=project.name, tag=tag, created_at=time.time() - age, **fields)
    writing.points(writing.graph("loss", "min"), [0, 1, 2], val_loss=[2.0, 1.0, 1.5], train_loss=[1.0, 0.5, 0.25])
    return writing


def fill(server: Server, project: Project) -> list[Writing]:
    """Sessions of all kinds."""
    made = [
        make(server, project, f"run-{n}", age=900 - n, params={"lr": n / 10, "model": {"depth": 18}}, tags=["paper"])
        for n in range(6)
    ]
    made[0].end("failed", reason="error", error={"type": "ValueError", "message": "loss is NaN", "traceback": "line 1"})
    made[1].end()
    made[2].end("cancelled", reason="interrupted")
    made[3].points(records.graph_id(made[3].session, "loss"), [3], val_loss=["NaN"])
    made[4].send(records.text_record("summary", "# A title\n\nand a [link](https://example.com), `code`"))
    made[4].send(records.text_record("console", "epoch 1\nepoch 2\n", append=True))
    made[4].send(records.values_record({"best": 0.5}))
    server.request(
        "POST",
        "/api/v2/sessions/edits",
        json={"sessions": [made[4].session], "edit": {"starred": True, "note": "a note"}},
    )
    return made


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.full
def test_the_project_page_with_its_menus(
    sign_in: Callable[..., Page], server: Server, project: Project, axe: str, scheme: str, width: int
) -> None:
    fill(server, project)
    page = sign_in(**look_of(scheme, width))
    page.goto(project.address)
    expect(row(page, "run-5")).to_be_visible()
    expect(page.locator(".card canvas").first).to_be_visible()
    check(page, axe, "the table and the graphs")
    page.locator("#columns summary").click()
    expect(page.locator("#columns .pick").first).to_be_visible()
    check(page, axe, "the Columns menu")
    page.keyboard.press("Escape")
    page.locator("#grouping summary").click()
    page.locator("#grouping .item", has_text="lr").first.click()
    expect(page.locator("tr.group")).to_have_count(6)
    check(page, axe, "the Group menu", "#grouping")
    page.keyboard.press("Escape")
    page.locator("tr.group .fold").first.click()
    expect(page.locator("tr[data-session]")).to_have_count(1)
    check(page, axe, "groups")
    page.locator("#grouping summary").click()
    page.get_by_role("button", name="No grouping").click()
    page.keyboard.press("Escape")
    row(page, "run-4").click(button="right")
    expect(page.get_by_role("menu")).to_be_visible()
    check(page, axe, "a row's menu")
    page.keyboard.press("Escape")
    page.locator("#search").fill("lr<")
    expect(page.locator("#mistake")).to_be_visible()
    check(page, axe, "a query with a mistake")
    page.locator("#search").fill("lr<0.4")
    expect(page.locator("tr[data-session]")).to_have_count(4)
    page.locator("#filter").click()
    check(page, axe, "the filter's form")
    page.keyboard.press("Escape")
    page.locator("#search").fill("nothing-like-it")
    expect(page.locator("#table-empty")).to_be_visible()
    check(page, axe, "a query without a match")
    page.locator("#search").fill("")
    page.keyboard.press("Tab")
    row(page, "run-4").click()
    for key, what in (("l", "the tags"), ("n", "the note"), ("r", "the name")):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_be_visible()
        check(page, axe, f"the dialog of {what}")
        page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("dialog[open]")).to_be_visible()
    check(page, axe, "the keys")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator(".toast")).to_be_visible()
    check(page, axe, "a message")


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_the_other_pages(
    sign_in: Callable[..., Page], server: Server, project: Project, axe: str, scheme: str, width: int
) -> None:
    made = fill(server, project)
    id_ = server.project_id(project.name)
    page = sign_in(**look_of(scheme, width))
    compared = "&".join(f"s={writing.session}" for writing in made)
    for path in (
        "/projects",
        f"/projects/{id_}/quickstart",
        f"/s/{made[0].session}/details",
        f"/s/{made[4].session}/details",
        f"/projects/{id_}/compare?{compared}",
        f"/projects/{id_}?in=bin",
        "/nothing-here",
    ):
        page.goto(server.url + path)
        expect(page.locator("h1").first).to_be_attached()
        check(page, axe, path)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
@pytest.mark.full
def test_a_project_without_sessions_and_the_sign_in_page(
    sign_in: Callable[..., Page],
    new_page: Callable[..., Page],
    server: Server,
    project: Project,
    axe: str,
    scheme: str,
    width: int,
) -> None:
    writing = make(server, project, "gone")
    server.request("POST", "/api/v2/sessions/edits", json={"sessions": [writing.session], "edit": {"deleted": True}})
    page = sign_in(**look_of(scheme, width))
    page.goto(project.address)
    expect(page.locator("#table-empty")).to_be_visible()
    check(page, axe, "a project without sessions")
    visitor = new_page(**look_of(scheme, width))
    visitor.goto(server.url + "/projects")
    check(visitor, axe, "the sign-in page")


@pytest.mark.full_on_postgresql
def test_at_a_zoom_of_200_percent(sign_in: Callable[..., Page], server: Server, project: Project) -> None:
    made = fill(server, project)
    id_ = server.project_id(project.name)
    # what a window of 1,440 x 900 has left at that zoom
    page = sign_in(viewport={"width": 720, "height": 450}, device_scale_factor=2)
    compared = "&".join(f"s={writing.session}" for writing in made)
    for path in (
        "/projects",
        f"/s/{made[4].session}/details",
        f"/projects/{id_}/compare?{compared}",
        f"/projects/{id_}",
    ):
        page.goto(server.url + path)
        expect(page.locator("h1").first).to_be_attached()
        assert page.evaluate("document.documentElement.scrollWidth") <= 720, path
    # a whole card can be scrolled into sight
    plot = page.locator(".card .plot").first
    plot.scroll_into_view_if_needed()
    page.mouse.wheel(0, 300)
    expect(plot.locator("canvas").first).to_be_visible()
    page.wait_for_function("() => window.scrollY > 100")
    box = plot.bounding_box()
    assert box is not None
    page.evaluate("(y) => window.scrollBy(0, y)", box["y"] - 20)
    box = plot.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 450
    row(page, "run-5").locator(".tag").click(button="right")
    menu = page.get_by_role("menu").bounding_box()
    assert menu is not None
    assert menu["y"] >= 0
    assert menu["y"] + menu["height"] <= 450
