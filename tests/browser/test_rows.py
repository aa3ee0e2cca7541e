"""What people change of sessions in the table: by the row's menu, by keys, many at once, and taken back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import expect_shown, row, tags
from tests.browser.test_table import make
from tests.support.batches import Writing
from tests.support.people import person
from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, Server, eventually


def held(server: Server, writing: Writing, *names: str) -> list[Any]:
    session = server.session(writing.session)
    return [session[name] for name in names]


def choose(page: Page, action: str) -> None:
    page.get_by_role("menuitem", name=re.compile(f"^{action}")).click()


def test_a_session_is_renamed_tagged_noted_and_starred_by_its_menu(
    page: Page, server: Server, project: Project
) -> None:
    run = make(server, project, "first", age=1)
    make(server, project, "second")
    page.goto(project.address)
    row(page, "first").locator(".tag").click(button="right")
    choose(page, "Rename")
    page.get_by_role("textbox", name="Name").fill("a better name")
    page.keyboard.press("Enter")
    expect(row(page, "a better name")).to_be_visible()
    assert held(server, run, "tag", "own_tag") == ["a better name", "first"]
    run.send({"type": "session", "tag": "first", "max_iter": 30})
    assert held(server, run, "tag", "max_iter") == ["a better name", 30], "the script does not undo it"

    row(page, "a better name").hover()
    row(page, "a better name").get_by_role("button", name="Actions").click()
    choose(page, "Tags")
    page.get_by_role("textbox", name="Add a tag").fill("baseline, paper")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "a better name").locator(".tag-chip")).to_have_text(["baseline", "paper"])
    assert held(server, run, "tags") == [["baseline", "paper"]]

    row(page, "a better name").locator(".tag").click()
    page.keyboard.press("n")
    page.get_by_role("textbox", name="Note").fill("worth another look")
    page.keyboard.press("Control+Enter")
    expect(row(page, "a better name").locator(".has-note")).to_be_visible()
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("s")
    expect(row(page, "a better name").locator(".star")).to_be_visible()
    eventually(lambda: held(server, run, "note", "starred") == ["worth another look", True])
    page.keyboard.press("z")
    expect(row(page, "a better name").locator(".star")).to_be_hidden()
    eventually(lambda: held(server, run, "starred") == [False])


def test_an_empty_name_is_the_scripts_own(page: Page, server: Server, project: Project) -> None:
    run = make(server, project, "mine")
    page.goto(project.address)
    for name in ("other", ""):
        page.locator("#sessions .tag").first.click()
        page.keyboard.press("r")
        page.get_by_role("textbox", name="Name").fill(name)
        page.get_by_role("button", name="Rename").click()
        expect(page.locator("dialog.question")).to_have_count(0)
    expect(row(page, "mine")).to_be_visible()
    assert held(server, run, "tag", "own_tag") == ["mine", None]


def test_a_range_that_is_chosen_is_archived_and_comes_back(page: Page, server: Server, project: Project) -> None:
    for n in range(8):
        make(server, project, f"run-{n}", age=n)
    page.goto(project.address)
    row(page, "run-1").click()
    row(page, "run-6").click(modifiers=["Shift"])
    expect(page.locator("#chosen")).to_have_text("6 selected ▾")
    expect_shown(page, *(f"run-{n}" for n in range(1, 7)))
    page.locator("#chosen").click()
    choose(page, "Archive")
    expect(page.locator("tr[data-session]")).to_have_count(2)
    assert tags(page) == ["run-0", "run-7"]
    expect(page.locator(".toast")).to_contain_text("6 sessions archived")
    page.get_by_label("Which sessions are shown").select_option("archive")
    expect(page.locator("tr[data-session]")).to_have_count(6)
    assert "in=archive" in page.url
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("tr[data-session]")).to_have_count(0)
    page.get_by_label("Which sessions are shown").select_option("")
    expect(page.locator("tr[data-session]")).to_have_count(8)


def test_the_bin_by_keys_alone(page: Page, server: Server, project: Project) -> None:
    runs = [make(server, project, f"run-{n}", age=n) for n in range(3)]
    page.goto(project.address)
    expect(row(page, "run-2")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Delete")
    expect(page.locator("tr[data-session]")).to_have_count(2)
    assert held(server, runs[0], "deleted_at") != [None]
    runs[0].points(runs[0].graph("loss", "min"), [3], val_loss=[0.1])
    assert held(server, runs[0], "last_x") == [3], "it goes on recording"
    page.goto(f"{project.address}?in=bin")
    expect(row(page, "run-0")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("e")
    expect(page.locator("tr[data-session]")).to_have_count(0)
    assert held(server, runs[0], "deleted_at") == [None]
    page.goto(project.address)
    expect(page.locator("tr[data-session]")).to_have_count(3)


def test_deleting_for_good_asks(page: Page, server: Server, project: Project) -> None:
    run = make(server, project, "unwanted")
    page.goto(project.address)
    expect(row(page, "unwanted")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Delete")
    expect(page.locator("tr[data-session]")).to_have_count(0)
    page.get_by_label("Which sessions are shown").select_option("bin")
    row(page, "unwanted").locator(".tag").click(button="right")
    choose(page, "Delete for good")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("This cannot be undone")
    dialog.get_by_role("button", name="Cancel").click()
    assert server.session(run.session)["tag"] == "unwanted"
    row(page, "unwanted").locator(".tag").click(button="right")
    choose(page, "Delete for good")
    page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(page.locator("tr[data-session]")).to_have_count(0)
    assert server.request("GET", f"/api/v2/sessions/{run.session}").status_code in (404, 410)


@pytest.mark.full_on_postgresql
def test_all_that_match_are_chosen_loaded_or_not(page: Page, server: Server, project: Project) -> None:
    for n in range(130):
        make(server, project, f"run-{n:03d}", age=n, params={"kept": int(n % 10 > 0)})
    page.goto(f"{project.address}?q=kept%3D1")
    expect(row(page, "run-001")).to_be_visible()
    row(page, "run-001").locator(".tag").click()
    page.keyboard.press("Control+a")
    expect(page.locator("#chosen")).to_have_text("117 selected ▾")
    row(page, "run-003").locator(".swatch").click()
    expect(page.locator("#chosen")).to_have_text("116 selected ▾")
    page.locator("#chosen").click()
    choose(page, "Star")
    expect(page.locator(".toast")).to_contain_text("116 sessions starred")

    def starred() -> int:
        return int(server.get("/api/v2/sessions", project=project.name, q="starred=true", limit=1)["total"])

    assert starred() == 116
    expect(page.locator(".star:visible").first).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("Undone for 116 sessions")
    assert starred() == 0
    page.locator("#chosen").click()
    choose(page, "Archive")
    expect(page.locator("tr[data-session]")).to_have_count(1)
    expect(page.locator("#statuses").get_by_role("button", name="All 1", exact=True)).to_be_visible()


@pytest.mark.full
def test_an_edit_is_in_the_other_browser_and_no_note_is_lost(
    sign_in: Callable[..., Page], server: Server, project: Project
) -> None:
    run = make(server, project, "shared")
    first, second = sign_in(), sign_in()
    for page in (first, second):
        page.goto(project.address)
        expect(row(page, "shared")).to_be_visible()
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        row(page, "shared").locator(".tag").click()
    for page in (first, second):
        page.keyboard.press("n")
        expect(page.get_by_role("textbox", name="Note")).to_have_value("")
    first.get_by_role("textbox", name="Note").fill("of the first")
    first.get_by_role("button", name="Save").click()
    expect(row(second, "shared").locator(".has-note")).to_be_visible()
    second.get_by_role("textbox", name="Note").fill("of the second")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_role("alert")).to_contain_text("Somebody else has changed this note")
    expect(second.locator(".theirs")).to_contain_text("of the first")
    assert held(server, run, "note") == ["of the first"]
    second.get_by_role("textbox", name="Note").fill("of the first\nof the second")
    second.get_by_role("button", name="Save").click()
    expect(second.locator("dialog.question")).to_have_count(0)
    assert held(server, run, "note") == ["of the first\nof the second"]
    row(first, "shared").locator(".tag").click()
    first.keyboard.press("r")
    first.get_by_role("textbox", name="Name").fill("renamed")
    first.keyboard.press("Enter")
    expect(row(second, "renamed")).to_be_visible()


def test_sessions_like_this(page: Page, server: Server, project: Project) -> None:
    for n in range(6):
        params = {"lr": [0.1, 0.01][n % 2], "optimizer": {"name": "adam" if n < 4 else "sgd"}, "seed": 3}
        make(server, project, f"run-{n}", age=n, params=params)
    page.goto(project.address)
    row(page, "run-0").locator(".tag").click(button="right")
    choose(page, "Sessions like this")
    page.get_by_role("combobox", name="The param that may differ").select_option("lr")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tr[data-session]")).to_have_count(4)
    assert tags(page) == ["run-0", "run-1", "run-2", "run-3"]


def test_a_session_is_moved_to_another_project(page: Page, server: Server, project: Project) -> None:
    run = make(server, project, "moves")
    other = Writing(server, None, project=f"{project.name} 2", tag="there")
    page.goto(project.address)
    row(page, "moves").locator(".tag").click(button="right")
    choose(page, "Move to project")
    page.get_by_role("combobox", name="Project").select_option(f"{project.name} 2")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator("tr[data-session]")).to_have_count(0)
    assert held(server, run, "project") == held(server, other, "project")


def test_going_back_undoes_one_choice_and_a_link_shows_the_same(
    sign_in: Callable[..., Page], server: Server, project: Project
) -> None:
    for n in range(4):
        make(server, project, f"run-{n}", age=n)
    page = sign_in()
    page.goto(project.address)
    row(page, "run-1").locator(".tag").click()
    page.get_by_role("button", name="log y").click()
    page.locator("#x-mode").get_by_role("button", name="Elapsed").click()
    page.locator(".legend button").first.click()
    expect(page.locator(".legend button").first).to_have_attribute("aria-pressed", "false")
    other = sign_in()
    other.goto(page.url)
    expect_shown(other, "run-1")
    expect(other.get_by_role("button", name="log y")).to_have_attribute("aria-pressed", "true")
    expect(other.locator("#x-mode [aria-pressed=true]")).to_have_text("Elapsed")
    expect(other.locator(".legend button").first).to_have_attribute("aria-pressed", "false")
    page.go_back()
    expect(page.locator(".legend button").first).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.locator("#x-mode [aria-pressed=true]")).to_have_text("Step")
    page.go_back()
    expect(page.get_by_role("button", name="log y")).to_have_attribute("aria-pressed", "false")
    page.go_back()
    expect(page.locator("tr[aria-selected=true]")).to_have_count(4)
    page.go_forward()
    expect_shown(page, "run-1")


@pytest.mark.full
def test_signed_out_meanwhile_one_signs_in_again_in_place(page: Page, server: Server, project: Project) -> None:
    run = make(server, project, "mine")
    page.goto(project.address)
    row(page, "mine").locator(".tag").click()
    page.keyboard.press("n")
    page.get_by_role("textbox", name="Note").fill("typed before")
    page.context.clear_cookies()
    # whether or not the page has asked for something meanwhile, and its dialog lies over this one
    page.locator("dialog.question form").first.evaluate("form => form.requestSubmit()")
    dialog = page.get_by_role("dialog", name="You have been signed out")
    dialog.get_by_role("textbox", name="E-mail").fill(ADMIN_EMAIL)
    dialog.get_by_role("textbox", name="Password").fill("wrong")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Wrong e-mail address or password")
    dialog.get_by_role("textbox", name="Password").fill(ADMIN_PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(page.locator("dialog.question")).to_have_count(0)
    assert held(server, run, "note") == ["typed before"]


def heads(page: Page) -> list[str]:
    return page.locator("#sessions th").evaluate_all("all => all.map((th) => th.dataset.key)")


def test_columns_are_moved_pinned_resized_and_kept_for_another_browser(
    sign_in: Callable[..., Page], server: Server, project: Project
) -> None:
    for n in range(3):
        make(server, project, f"run-{n}", age=n)
    page = sign_in()
    page.goto(project.address)
    expect(row(page, "run-2")).to_be_visible()
    head = page.locator("th[data-key=elapsed]")
    box, target = head.bounding_box(), page.locator("th[data-key=progress]").bounding_box()
    assert box is not None
    assert target is not None
    page.mouse.move(box["x"] + 40, box["y"] + 15)
    page.mouse.down()
    page.mouse.move(target["x"] + 30, box["y"] + 15, steps=6)
    with page.expect_response(re.compile("/preferences/columns")) as saved:
        page.mouse.up()
    assert saved.value.ok
    assert heads(page)[:5] == ["pick", "tag", "status", "elapsed", "progress"]
    assert "sort=" not in page.url, "dragging does not sort"
    edge = page.locator("th[data-key=elapsed] .edge").bounding_box()
    assert edge is not None
    page.mouse.move(edge["x"] + 4, edge["y"] + 15)
    page.mouse.down()
    page.mouse.move(edge["x"] + 64, edge["y"] + 15, steps=4)
    page.mouse.up()
    page.locator("th[data-key=iter] button").focus()
    page.keyboard.press("Alt+ArrowLeft")
    assert heads(page)[3:6] == ["elapsed", "iter", "progress"]
    page.locator("th[data-key=progress]").click(button="right")
    choose(page, "Pin to the left")
    assert heads(page)[:3] == ["pick", "tag", "progress"]
    with page.expect_response(re.compile("/preferences/columns")):
        page.locator("th[data-key=done]").click(button="right")
        choose(page, "Hide Done at")
    other = sign_in()
    other.goto(project.address)
    expect(row(other, "run-2")).to_be_visible()
    assert heads(other) == heads(page)
    assert "done" not in heads(other)
    assert other.locator("th[data-key=elapsed]").evaluate("th => th.offsetWidth") == 158
    assert "pinned" in (other.locator("th[data-key=progress]").get_attribute("class") or "")


def test_a_viewer_is_offered_what_changes_nothing(
    new_page: Callable[..., Page], server: Server, project: Project
) -> None:
    make(server, project, "seen")
    page = new_page()
    cookies = person(server, "viewer").cookies
    page.context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies.items()])
    page.goto(project.address)
    row(page, "seen").locator(".tag").click(button="right")
    expect(page.get_by_role("menuitem").first).to_be_visible()
    labels = page.get_by_role("menuitem").all_inner_texts()
    reading = "Open|Copy id|Copy link|Copy params as JSON|Sessions like this …|Download as CSV|Download as JSON lines"
    assert [label.split("\n")[0] for label in labels] == reading.split("|")
    page.keyboard.press("Escape")
    page.keyboard.press("Delete")
    expect(row(page, "seen")).to_be_visible()


@pytest.mark.full
def test_an_empty_archive_and_bin_say_so(page: Page, server: Server, project: Project) -> None:
    make(server, project, "only")
    for place, words in (("archive", "The archive is empty"), ("bin", "The bin is empty")):
        page.goto(f"{project.address}?in={place}")
        expect(page.get_by_role("heading", name=words)).to_be_visible()
        page.get_by_role("button", name="Show the current sessions").click()
        expect(row(page, "only")).to_be_visible()
