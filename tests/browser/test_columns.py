"""The columns of the session table that are found in what the sessions have."""

from __future__ import annotations

import re
import time
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import row
from tests.support.batches import Writing
from tests.support.server import Server, eventually


def make(server: Server, project: Project, tag: str, params: dict[str, Any], age: float = 0.0) -> Writing:
    return Writing(server, project=project.name, tag=tag, params=params, created_at=time.time() - age)


def expect_headers(page: Page, there: list[str], missing: list[str]) -> None:
    for name in there:
        expect(page.locator("#sessions thead th").get_by_text(name, exact=True)).to_have_count(1)
    for name in missing:
        expect(page.locator("#sessions thead th").get_by_text(name, exact=True)).to_have_count(0)


def test_only_params_that_differ_also_beyond_the_rows_that_are_loaded(
    page: Page, server: Server, project: Project
) -> None:
    make(server, project, "oldest", {"lr": 0.1, "depth": 3, "seed": 0, "model": {"name": "vgg"}}, age=1_000)
    for n in range(105):
        make(server, project, f"run-{n}", {"lr": 0.1, "depth": 3, "seed": n, "model": {"name": "resnet"}}, age=500 - n)
    page.goto(project.address)
    expect(row(page, "run-104")).to_be_visible()
    page.locator("#columns summary").click()
    page.locator("#columns .pick").get_by_text("depth", exact=True).click()
    expect_headers(page, ["depth"], ["seed"])
    page.get_by_label("Only params that differ").check()
    expect_headers(page, ["seed", "model.name"], ["depth", "lr"])
    expect(page.locator("#columns .differing .detail")).to_have_text("2 among 106 sessions")
    # a query narrows what is compared
    page.keyboard.press("Escape")
    page.locator("#search").fill("run-1")
    expect_headers(page, ["seed"], ["depth", "lr", "model.name"])
    page.locator("#search").fill("")
    expect_headers(page, ["seed", "model.name"], [])
    # kept on the server: another browser of this person's has it
    eventually(lambda: preference(server, project).get("differing"))
    page.reload()
    expect_headers(page, ["seed", "model.name"], ["depth", "lr"])
    # a session that has just arrived is compared, too
    make(server, project, "other", {"lr": 0.2, "depth": 3, "seed": 0, "model": {"name": "vgg"}})
    expect_headers(page, ["lr", "seed", "model.name"], ["depth"])
    page.locator("#columns summary").click()
    page.get_by_label("Only params that differ").uncheck()
    expect_headers(page, ["depth"], ["seed", "lr"])


def preference(server: Server, project: Project) -> Any:
    answer = server.signed_in().get(f"{server.url}/api/v2/projects/{server.project_id(project.name)}/preferences")
    return answer.json()["preferences"].get("columns", {})


def test_of_one_session_nothing_differs(page: Page, server: Server, project: Project) -> None:
    make(server, project, "only", {"lr": 0.1})
    page.goto(project.address)
    expect(row(page, "only")).to_be_visible()
    page.locator("#columns summary").click()
    page.locator("#columns .pick").get_by_text("lr", exact=True).click()
    expect_headers(page, ["lr"], [])
    page.get_by_label("Only params that differ").check()
    expect(page.locator("#columns .differing .detail")).to_have_text("none among 1 session")
    expect_headers(page, [], ["lr"])


def test_a_columns_menu_by_the_keyboard_alone(page: Page, server: Server, project: Project) -> None:
    make(server, project, "only", {"lr": 0.1})
    page.goto(project.address)
    head = page.locator('#sessions th[data-key="iter"]')
    head.locator("button").focus()
    page.keyboard.press("Shift+F10")
    expect(page.get_by_role("menu", name="Column Iter")).to_be_visible()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    expect(page.locator(":focus")).to_have_text("Pin to the left")
    page.keyboard.press("Enter")
    expect(head).to_have_class(re.compile("pinned"))
    expect(head.locator("button")).to_be_focused()
