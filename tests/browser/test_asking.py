"""Asking in the session table: completion in the search field, filters as chips, columns of the whole project."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import expect_shown, row, tags
from tests.support.batches import Writing
from tests.support.server import Server

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def runs(server: Server, project: Project) -> Project:
    """A project with five sessions: run-0 (lr 1, adam) to run-4 (lr 1e-4, sgd)."""
    for number in range(5):
        writing = Writing(
            server,
            project=project.name,
            tag=f"run-{number}",
            created_at=time.time() - number,
            params={"lr": 10.0**-number, "optimizer": {"name": "adam" if number < 3 else "sgd"}, "learning rate": 1},
        )
        writing.points(writing.graph("loss", "min"), [0, 1], val_loss=[number + 1, number])
    return project


def options(page: Page) -> Locator:
    return page.locator(".search [role=option]")


def labels(page: Page) -> Locator:
    return page.locator(".search [role=option] .label")


def terms(page: Page) -> Locator:
    return page.locator("#filters .term > button:first-child")


def test_a_query_is_completed_with_the_keyboard_alone(page: Page, runs: Project) -> None:
    page.goto(runs.address)
    expect(page.locator(".tag")).to_have_count(5)
    page.keyboard.press("/")
    field = page.locator("#search")
    page.keyboard.type("optim")
    expect(labels(page)).to_have_text(["optimizer.name"])
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    active = options(page).first.get_attribute("id")
    assert active
    expect(field).to_have_attribute("aria-activedescendant", active)
    page.keyboard.press("Enter")
    expect(field).to_have_value("optimizer.name")
    expect(labels(page).first).to_have_text("optimizer.name=")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(field).to_have_value("optimizer.name=")
    expect(labels(page)).to_have_text(["adam", "sgd"])
    expect(options(page).locator(".detail")).to_have_text(["3", "2"])
    page.keyboard.press("ArrowUp")  # around to the last one
    page.keyboard.press("Enter")
    expect(field).to_have_value("optimizer.name=sgd ")
    expect(options(page)).to_have_count(0)
    expect(page.locator(".tag")).to_have_text(["run-3", "run-4"])
    page.keyboard.press("ArrowDown")
    expect(labels(page).first).to_have_text("and")
    page.keyboard.type("and min(")
    expect(labels(page)).to_have_text(["min(val_loss)"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type(">3")
    expect(field).to_have_value("optimizer.name=sgd and min(val_loss)>3")
    expect(page.locator(".tag")).to_have_text(["run-4"])


def test_enter_searches_and_escape_closes_before_it_clears(page: Page, runs: Project) -> None:
    page.goto(runs.address)
    page.keyboard.press("/")
    page.keyboard.type("l")
    expect(labels(page).first).to_have_text("lr")
    page.keyboard.type("r")
    expect(labels(page).first).to_have_text("lr=")
    page.keyboard.press("Enter")  # nothing is highlighted
    expect(options(page)).to_have_count(0)
    expect(page.locator("#search")).to_have_value("lr")
    page.keyboard.type("=")
    expect(labels(page)).to_have_count(5)
    page.keyboard.press("Escape")
    expect(options(page)).to_have_count(0)
    expect(page.locator("#search")).to_have_value("lr=")
    expect(page.locator("#mistake")).to_contain_text("a value is missing")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_have_value("")
    page.keyboard.press("/")
    page.keyboard.type("run-1")
    expect(page.locator(".tag")).to_have_text(["run-1"])
    expect(options(page)).to_have_count(0)


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_a_query_is_completed_by_pointing(sign_in: Callable[..., Page], runs: Project, size: dict[str, Any]) -> None:
    page = sign_in(**size)
    page.goto(runs.address)
    expect(page.locator(".tag")).to_have_count(5)

    def point(at: Locator) -> None:
        at.tap() if size else at.click()

    point(page.locator("#search"))
    point(labels(page).get_by_text("lr", exact=True))
    point(labels(page).get_by_text("lr<=", exact=True))
    point(labels(page).get_by_text("0.01", exact=True))
    expect(page.locator("#search")).to_have_value("lr<=0.01 ")
    expect(page.locator(".tag")).to_have_text(["run-2", "run-3", "run-4"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_late_answer_is_dropped(page: Page, runs: Project) -> None:
    page.goto(runs.address)
    held: list[Any] = []
    page.route("**/field_values*optimizer*", lambda route: held.append(route))
    page.keyboard.press("/")
    page.keyboard.type("optimizer.name=")
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(20)
    page.fill("#search", "lr=")
    expect(labels(page)).to_have_count(5)
    held[0].continue_()
    with page.expect_response("**/field_values*optimizer*") as answer:
        pass
    assert answer.value.ok
    page.wait_for_timeout(50)
    expect(labels(page)).to_have_count(5)


def test_terms_are_chips_that_can_be_edited_and_removed(page: Page, runs: Project) -> None:
    page.goto(f"{runs.address}?q=lr<1 optimizer.name=adam")
    expect(terms(page)).to_have_text(["lr < 1", "optimizer.name = adam"])
    expect(page.locator(".tag")).to_have_text(["run-1", "run-2"])
    terms(page).nth(1).click()
    form = page.locator("#filter-form")
    expect(form.get_by_label("Value", exact=True).first).to_have_value("adam")
    expect(form.locator("select")).to_have_value("=")
    form.locator("select").select_option("!=")
    form.get_by_role("button", name="Update").click()
    expect(page.locator("#search")).to_have_value("lr<1 optimizer.name!=adam")
    expect(page.locator(".tag")).to_have_text(["run-3", "run-4"])
    page.get_by_role("button", name="Remove lr < 1").focus()
    page.keyboard.press("Enter")
    expect(terms(page)).to_have_text(["optimizer.name ≠ adam"])
    expect(page.locator("#search")).to_have_value("optimizer.name!=adam")
    expect(page.get_by_role("button", name="Remove optimizer.name ≠ adam")).to_be_focused()
    page.fill("#search", "lr<0.001 or tag=run-0")
    expect(terms(page)).to_have_text(["Custom query"])
    expect(page.locator(".tag")).to_have_text(["run-0", "run-4"])
    terms(page).click()
    expect(page.locator("#search")).to_be_focused()
    page.locator("#filters").get_by_role("button", name="Clear").click()
    expect(page.locator("#filters")).to_be_hidden()
    expect(page.locator(".tag")).to_have_count(5)


def test_a_mistaken_term_is_marked(page: Page, runs: Project) -> None:
    page.goto(f"{runs.address}?q=🚀 lr<1 status=ended")
    expect(page.locator("#filters .term.wrong")).to_have_text(re.compile("status = ended"))
    expect(page.locator("#mistake")).to_contain_text("not 'ended'")


def test_a_filter_is_built_with_the_keyboard_alone(page: Page, runs: Project) -> None:
    page.goto(runs.address)
    expect(page.locator(".tag")).to_have_count(5)
    page.locator("#filter").focus()
    page.keyboard.press("Enter")
    form = page.locator("#filter-form")
    expect(form.get_by_label("Column", exact=True).first).to_be_focused()
    page.keyboard.type("optim")
    expect(form.locator("[role=option] .label").first).to_have_text("optimizer.name")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(form.get_by_label("Value", exact=True).first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(form.locator("[role=option] .label")).to_have_text(["adam", "sgd"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(form).to_be_hidden()
    expect(page.locator("#filter")).to_be_focused()
    expect(page.locator("#search")).to_have_value("optimizer.name=adam")
    expect(page.locator(".tag")).to_have_count(3)
    page.keyboard.press("Enter")
    expect(form.get_by_label("Column", exact=True).first).to_be_focused()
    page.keyboard.type("learning rate")
    page.keyboard.press("Escape")  # the list
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.locator("#search")).to_have_value('optimizer.name=adam and "learning rate"=1')
    expect(terms(page)).to_have_count(2)
    expect(page.locator("#filter")).to_be_focused()
    page.keyboard.press("Enter")
    expect(form.get_by_label("Column", exact=True).first).to_be_focused()
    page.keyboard.press("Escape")
    expect(form).to_be_hidden()


@pytest.mark.parametrize("size", [{}, PHONE], ids=["desktop", "phone"])
def test_a_filter_is_built_by_pointing(sign_in: Callable[..., Page], runs: Project, size: dict[str, Any]) -> None:
    page = sign_in(**size)
    page.goto(f"{runs.address}?q=tag=run-0 or lr<0.1")
    expect(page.locator(".tag")).to_have_count(4)

    def point(at: Locator) -> None:
        at.tap() if size else at.click()

    point(page.locator("#filter"))
    form = page.locator("#filter-form")
    point(form.get_by_label("Column", exact=True).first)
    point(form.locator("[role=option]").get_by_text("optimizer.name"))
    point(form.get_by_label("Value", exact=True).first)
    point(form.locator("[role=option]").get_by_text("sgd"))
    point(form.get_by_role("button", name="Add filter"))
    expect(page.locator("#search")).to_have_value("(tag=run-0 or lr<0.1) and optimizer.name=sgd")
    expect(page.locator(".tag")).to_have_text(["run-3", "run-4"])
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.full_on_postgresql
def test_columns_are_those_of_all_sessions_and_stay(page: Page, server: Server, project: Project) -> None:
    old = Writing(
        server,
        project=project.name,
        tag="old",
        created_at=time.time() - 1_000,
        params={"model": {"depth": 18, "wide": False}, "layers": [1, 2]},
        git={"commit": "ab12cd3" + 33 * "0", "branch": "topic"},
        env={"host": "node-7", "user": "ada"},
    )
    old.points(old.graph("reward", None), [0, 1], ep_rew_mean=[1.0, 7.5])
    for number in range(101):
        Writing(server, project=project.name, tag=f"run-{number}", created_at=time.time() - 900 + number)
    page.goto(project.address)
    expect(row(page, "run-100")).to_be_visible()
    page.locator("#columns summary").click()
    menu = page.locator("#columns")
    menu.get_by_label("model.depth").check()
    menu.get_by_label("model.wide").check()
    menu.get_by_label("layers").check()
    menu.get_by_label("Commit").check()
    menu.get_by_label("Host").check()
    menu.get_by_role("group", name="ep_rew_mean").get_by_label("last").check()
    page.reload()
    expect(page.get_by_role("columnheader", name="model.depth")).to_be_visible()
    page.get_by_role("button", name="model.depth").click()
    expect(page.locator(".tag").first).to_have_text("old")
    cells = row(page, "old").locator("td").all_inner_texts()
    for text in ("18", "false", "[1,2]", "ab12cd30", "node-7", "7.500"):
        assert text in cells
    page.get_by_role("button", name="last(ep_rew_mean)").click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("last(ep_rew_mean)")
    expect(page.locator(".tag").first).to_have_text("old")
    page.locator("#columns summary").click()
    page.get_by_label("Find a column").fill("dep")
    expect(menu.locator(".entries .pick")).to_have_text(["model.depthnumber"])
    expect(menu.get_by_label("model.depth")).to_be_checked()


def test_sessions_that_the_query_leaves_out_are_told(page: Page, runs: Project) -> None:
    page.goto(runs.address)
    expect(page.locator("tr[aria-selected=true]")).to_have_count(5)
    unlisted = page.locator("#unlisted")
    expect(unlisted).to_be_hidden()
    page.fill("#search", "optimizer.name=adam")
    expect(unlisted).to_contain_text("2 of the 5 sessions shown here do not match the query.")
    unlisted.get_by_role("button", name="Show the 3 that match").click()
    expect(unlisted).to_be_hidden()
    expect_shown(page, "run-0", "run-1", "run-2")
    page.fill("#search", "tag=run-4")
    expect(unlisted).to_contain_text("None of the sessions shown here matches the query.")
    page.fill("#search", "")
    expect(unlisted).to_be_hidden()


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_a_shown_session_beyond_the_loaded_rows_is_in_the_list(page: Page, server: Server, project: Project) -> None:
    made = [
        Writing(
            server,
            project=project.name,
            tag=f"run-{number}",
            created_at=time.time() - number,
            params={"even": number % 2 == 0},
        )
        for number in range(240)
    ]
    shown = [made[number].session for number in (1, 230, 231)]
    page.goto(f"{project.address}?q=even=true&{'&'.join(f's={id_}' for id_ in shown)}")
    expect(page.locator("#unlisted")).to_contain_text("2 of the 3 sessions shown here do not match the query.")
    page.get_by_role("button", name="Show the first 20 that match").click()
    expect(page.locator("tr[aria-selected=true]")).to_have_count(20)
    assert tags(page)[0] == "run-0"


def test_a_sort_by_what_is_gone_says_so(page: Page, runs: Project) -> None:
    page.goto(f"{runs.address}?sort=params.gone")
    expect(page.locator("#table-empty")).to_contain_text("'sort' names the param 'gone', which no session has")
    page.get_by_role("button", name="Show all sessions").click()
    expect(page.locator(".tag")).to_have_count(5)
