"""The session table: choosing, sorting, searching, filtering, paging."""

from __future__ import annotations

import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from losswise.protocol import records
from tests.browser.conftest import Project
from tests.browser.looking import card, expect_shown, row, tags, wait_drawn
from tests.support.batches import Writing
from tests.support.server import Server


def make(server: Server, project: Project, tag: str, best: float = 0.5, age: float = 0.0, **fields: Any) -> Writing:
    writing = Writing(server, None, project=project.name, tag=tag, created_at=time.time() - age, **fields)
    writing.points(writing.graph("loss", "min"), [0, 1, 2], val_loss=[best + 1, best, best + 0.5])
    return writing


def test_the_newest_are_shown_at_first_and_a_click_shows_one_alone(
    page: Page, server: Server, project: Project
) -> None:
    sessions = [make(server, project, f"run-{n}", age=100 - n) for n in range(7)]
    page.goto(project.address)
    expect(page.locator("tr[aria-selected=true]")).to_have_count(5)
    expect_shown(page, "run-6", "run-5", "run-4", "run-3", "run-2")
    page.locator(".tag").get_by_text("run-1", exact=True).click()
    expect(page.locator("tr[aria-selected=true]")).to_have_count(1)
    expect_shown(page, "run-1")
    wait_drawn(page, "loss", sessions[1].session, "val_loss")
    row(page, "run-0").locator(".swatch").click()
    row(page, "run-3").locator(".swatch").click()
    row(page, "run-1").locator(".swatch").click()
    expect_shown(page, "run-3", "run-0")


@pytest.mark.full
def test_a_reload_keeps_the_view(page: Page, server: Server, project: Project) -> None:
    for n in range(4):
        make(server, project, f"run-{n}", best=n, age=n)
    page.goto(project.address)
    row(page, "run-2").click()
    row(page, "run-3").locator(".swatch").click()
    page.get_by_role("button", name="min(val_loss)").click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("min(val_loss)")
    color = row(page, "run-3").locator(".swatch").evaluate("box => getComputedStyle(box).backgroundColor")
    page.reload()
    expect(page.locator("tr[aria-selected=true]")).to_have_count(2)
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("min(val_loss)")
    assert tags(page) == ["run-0", "run-1", "run-2", "run-3"]
    assert row(page, "run-3").locator(".swatch").evaluate("box => getComputedStyle(box).backgroundColor") == color


def test_the_address_of_a_session_shows_it_selected(page: Page, server: Server, project: Project) -> None:
    make(server, project, "other")
    wanted = make(server, project, "wanted", age=50)
    page.goto(f"{server.url}/s/{wanted.session}")
    wait_drawn(page, "loss", wanted.session, "val_loss")
    expect_shown(page, "wanted")


@pytest.mark.full_on_postgresql
def test_the_server_sorts_by_a_statistic_over_all_pages(page: Page, server: Server, project: Project) -> None:
    for n in range(130):
        make(server, project, f"run-{n:03d}", best=(n * 37 % 130) / 10, age=200 - n)
    page.goto(project.address)
    expect(row(page, "run-129")).to_be_visible()
    expect(page.locator("td.best")).to_have_count(0)  # the best is not among the rows that are loaded
    page.get_by_role("button", name="min(val_loss)").click()
    expect(page.locator(".tag").first).to_have_text("run-000")
    cells = page.locator("td.best")
    expect(cells.first).to_have_text("0")
    page.get_by_role("button", name="min(val_loss)").click()
    expect(page.locator("th[aria-sort=descending]")).to_have_text("min(val_loss)")
    expect(page.locator(".tag").first).to_have_text("run-007")
    # scrolling loads the rest, and the page holds only the rows in sight
    for _ in range(12):
        page.locator("#table-scroll").evaluate("box => { box.scrollTop = box.scrollHeight }")
        page.wait_for_timeout(100)
    expect(row(page, "run-000")).to_be_visible()
    assert page.locator("#sessions tbody tr").count() < 80


def test_a_sorted_header_has_room_for_its_arrow(page: Page, server: Server, project: Project) -> None:
    writing = make(server, project, "run")
    writing.points(writing.graph("long", "max"), [0], **{"a_name_of_" + 9 * "many_letters_": [1.0]})
    page.goto(project.address)
    for name in ("min(val_loss)", "max(a_name_of"):
        button = page.get_by_role("button", name=name)
        button.click()
        expect(page.locator("th[aria-sort]")).to_contain_text(name)
        arrow, room = button.evaluate(
            "button => [getComputedStyle(button, '::after').content, button.clientWidth - button.scrollWidth]"
        )
        assert arrow in ('" ↑"', '" ↓"')
        assert room == 0


def test_a_column_comes_with_what_a_session_gets_later(page: Page, server: Server, project: Project) -> None:
    writing = make(server, project, "run", best=0.5)
    page.goto(project.address)
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("td.best")).to_have_count(0)  # one alone is not the best
    writing.points(writing.graph("accuracy", "max"), [0], val_accuracy=[0.75])
    expect(page.get_by_role("columnheader", name="max(val_accuracy)")).to_be_visible()
    expect(row(page, "run")).to_contain_text("0.7500")
    make(server, project, "better", best=0.25)
    expect(page.locator("td.best")).to_have_text(["0.2500", "0.7500"])


def test_search_and_status_chips(page: Page, server: Server, project: Project) -> None:
    make(server, project, "resnet18", params={"lr": 0.1}).end("complete")
    make(server, project, "resnet34").end("failed", reason="error")
    make(server, project, "vit 🚀")
    page.goto(project.address)
    expect(page.locator("[data-status=failed]")).to_have_text("Failed 1")
    page.keyboard.press("/")
    page.keyboard.type("resnet")
    expect(page.locator(".tag")).to_have_count(2)
    page.locator("[data-status=failed]").click()
    expect(page.locator(".tag")).to_have_count(1)
    assert tags(page) == ["resnet34"]
    page.fill("#search", "nothing like it")
    expect(page.locator("#table-empty")).to_contain_text("No session matches")
    page.get_by_role("button", name="Show all sessions").click()
    expect(page.locator(".tag")).to_have_count(3)


def test_a_query_and_what_is_wrong_with_one(page: Page, server: Server, project: Project) -> None:
    for number in range(4):
        make(server, project, f"run-{number}", params={"lr": 10.0**-number})
    page.goto(project.address)
    expect(page.locator(".tag")).to_have_count(4)
    page.keyboard.press("/")
    page.keyboard.type("lr<=0.01")
    expect(page.locator(".tag")).to_have_text(["run-3", "run-2"])
    page.keyboard.insert_text(" or (tag=🚀")  # at once: the beginning, "lr<=0.01 o", is a query too
    mistake = page.locator("#mistake")
    expect(mistake).to_contain_text("this parenthesis is not closed")
    expect(mistake.locator("mark")).to_have_text("(")
    assert tags(page) == ["run-3", "run-2"]
    expect(page.locator("#search")).to_have_attribute("aria-invalid", "true")
    page.keyboard.insert_text(' or "status=x')
    expect(mistake.locator("mark")).to_have_text('"status=x')  # a rocket is one character
    page.fill("#search", "lr<=0.01 or tag=run-0")
    expect(mistake).to_be_hidden()
    expect(page.locator(".tag")).to_have_text(["run-3", "run-2", "run-0"])
    page.goto(f"{project.address}?q=min(")
    expect(mistake).to_contain_text("a name is missing after 'min('")
    expect(page.locator(".tag")).to_have_count(4)


def test_a_new_session_and_its_end_appear_without_a_reload(page: Page, server: Server, project: Project) -> None:
    make(server, project, "first", age=10)
    page.goto(project.address)
    expect(page.locator("#live")).to_have_text("live")
    second = make(server, project, "second")
    expect(page.locator(".tag").first).to_have_text("second", timeout=2000)
    expect(row(page, "second").locator(".status")).to_contain_text("active")
    wait_drawn(page, "loss", second.session, "val_loss")
    second.end("failed", reason="error")
    expect(row(page, "second").locator(".status")).to_contain_text("failed", timeout=2000)
    expect(page.locator("[data-status=failed]")).to_have_text("Failed 1")
    server.request("DELETE", f"/api/v2/sessions/{second.session}")
    expect(row(page, "second")).to_have_count(0, timeout=3000)


def test_dropped_points_and_what_a_session_failed_with(page: Page, server: Server, project: Project) -> None:
    full = make(server, project, "full")
    full.send({**records.status_record("complete", time.time()), "dropped": 25_400})
    make(server, project, "broken").end("failed", reason="error", error={"type": "ValueError", "message": "too bad"})
    page.goto(project.address)
    cell = page.locator("td", has=page.locator(".status"))
    expect(row(page, "full").locator(cell)).to_have_attribute("title", "complete: points dropped: 25,400")
    expect(row(page, "full").locator(".status")).to_contain_text("points dropped")
    expect(row(page, "broken").locator(cell)).to_have_attribute("title", "failed\nValueError: too bad")
    expect(row(page, "broken").locator(".status .why")).to_have_text("ValueError: too bad")


def test_what_was_not_stored_is_marked_and_the_mark_goes(page: Page, server: Server, project: Project) -> None:
    run, other = make(server, project, "run"), make(server, project, "other")
    page.goto(project.address)
    expect(row(page, "run").locator(".status")).not_to_contain_text("not stored")
    told = {"what": "points loss a", "reason": "too long", "total": 1_200}
    run.send(refused=[told])
    expect(row(page, "run").locator(".status .lost")).to_have_text("1.2k not stored", timeout=3000)
    cell = page.locator("td", has=page.locator(".status"))
    expect(row(page, "run").locator(cell)).to_have_attribute("title", "active: 1,200 not stored")
    expect(row(page, "other").locator(".status")).not_to_contain_text("not stored")
    run.send(refused=[{**told, "sent": 1_200}])
    expect(row(page, "run").locator(".status")).not_to_contain_text("not stored", timeout=3000)
    other.end()


def test_columns_are_chosen_and_kept(page: Page, server: Server, project: Project) -> None:
    make(server, project, "run", params={"lr": 3e-4})
    page.goto(project.address)
    expect(row(page, "run")).to_be_visible()
    page.locator("#columns summary").click()
    page.locator("#columns").get_by_label("lr").check()
    page.locator("#columns").get_by_label("Elapsed").uncheck()
    expect(row(page, "run")).to_contain_text("3e-4")
    page.reload()
    expect(row(page, "run")).to_contain_text("3e-4")
    expect(page.get_by_role("columnheader", name="Elapsed")).to_have_count(0)


def test_a_project_without_sessions_says_what_to_paste(page: Page, server: Server, project: Project) -> None:
    gone = make(server, project, "gone")
    page.goto(project.address)
    server.request("DELETE", f"/api/v2/sessions/{gone.session}")
    expect(page.locator("#table-empty")).to_contain_text("losswise.Session(")
    page.get_by_role("link", name="Complete scripts with your API key").click()
    page.wait_for_url("**/quickstart")


def test_a_session_without_graphs_and_nothing_selected(page: Page, server: Server, project: Project) -> None:
    Writing(server, project=project.name, tag="bare")
    page.goto(project.address)
    expect(page.locator("#charts-empty")).to_contain_text("no graph yet")
    row(page, "bare").locator(".swatch").click()
    expect(page.locator("#charts-empty")).to_contain_text("Select sessions")
    page.reload()
    expect(page.locator("#charts-empty")).to_contain_text("Select sessions")
    expect(card(page, "loss")).to_have_count(0)


def test_the_keyboard_moves_and_chooses(page: Page, server: Server, project: Project) -> None:
    for n in range(3):
        make(server, project, f"run-{n}", age=n)
    page.goto(project.address)
    expect(page.locator("tr[aria-selected=true]")).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect_shown(page, "run-1")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect_shown(page, "run-0", "run-1")
    page.keyboard.press("?")
    expect(page.locator("dialog#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog#keys")).to_be_hidden()
