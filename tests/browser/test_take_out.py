"""Chosen sessions as a file, and side by side."""

from __future__ import annotations

import csv
import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import expect_shown, row
from tests.support.batches import Writing
from tests.support.server import Server


def make(
    server: Server, project: Project, tag: str, best: float, age: float = 0.0, params: dict[str, Any] | None = None
) -> Writing:
    writing = Writing(server, project=project.name, tag=tag, created_at=time.time() - age, params=params or {})
    writing.points(writing.graph("loss", "min"), [0, 1, 2], val_loss=[best + 1, best, best + 0.5])
    writing.end()
    return writing


def download(page: Page, action: str, folder: Path) -> Path:
    with page.expect_download() as found:
        page.get_by_role("menuitem", name=action).click()
    path = folder / found.value.suggested_filename
    found.value.save_as(path)
    return path


def test_chosen_sessions_as_a_file_with_the_columns_of_the_table(
    page: Page, server: Server, project: Project, tmp_path: Path
) -> None:
    for n in range(4):
        make(server, project, f"run-{n}", best=n / 8, age=100 - n, params={"lr": n})
    page.goto(project.address)
    row(page, "run-3").click()
    page.keyboard.down("Control")
    row(page, "run-1").click()
    page.keyboard.up("Control")
    row(page, "run-1").click(button="right")
    path = download(page, "Download as CSV", tmp_path)
    lines = list(csv.reader(path.open(newline="")))
    assert lines[0][:4] == ["id", "tag", "status", "progress"]
    at = lines[0].index("min(val_loss)")
    assert [(line[1], line[at]) for line in lines[1:]] == [("run-3", "0.375"), ("run-1", "0.125")]
    expect(page.locator(".toast")).to_contain_text("2 sessions in sessions-")
    # all that match, by the keyboard alone
    page.locator("#search").fill("lr<3")
    expect(page.locator("tr[data-session]")).to_have_count(3)
    page.locator("tr[data-session]").first.focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("m")
    path = download(page, "Download as JSON lines", tmp_path)
    assert [json.loads(line)["params"]["lr"] for line in path.read_text().splitlines()] == [2, 1, 0]


def test_sessions_side_by_side(page: Page, server: Server, project: Project) -> None:
    make(server, project, "one", best=0.5, age=3, params={"lr": 0.1, "depth": 18, "seed": 7})
    make(server, project, "other", best=0.25, age=2, params={"lr": 0.2, "depth": 18})
    make(server, project, "third", best=1.0, age=1, params={"lr": 0.2, "depth": 18})
    page.goto(project.address)
    row(page, "one").click()
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("m")
    page.get_by_role("menuitem", name="Compare").click()
    expect(page.get_by_role("heading", name="Compare 2 sessions")).to_be_visible()
    expect(page.locator("thead th a")).to_have_text(["one", "other"])
    assert cells_of(page, "lr") == ["0.1", "0.2"]
    assert cells_of(page, "seed") == ["7", "\N{EN DASH}"]
    assert cells_of(page, "min(val_loss)") == ["0.5", "0.25 best -50.0%"]
    expect(page.get_by_role("row", name="depth")).to_have_count(0)
    page.get_by_text("1 the same in all").click()
    expect(page.locator(".equal .pairs")).to_contain_text("depth")
    page.get_by_role("link", name="Show the curves").click()
    expect_shown(page, "other", "one")


def cells_of(page: Page, name: str) -> list[str]:
    line = page.locator("tr").filter(has=page.get_by_role("rowheader", name=name, exact=True))
    return [" ".join(text.split()) for text in line.locator("td").all_text_contents()]


@pytest.mark.full
def test_too_many_or_too_few_to_compare(page: Page, server: Server, project: Project) -> None:
    runs = [make(server, project, f"run-{n}", best=1.0, age=100 - n) for n in range(21)]
    page.goto(project.address)
    expect(page.locator("tr[data-session]").first).to_be_visible()
    page.locator("tr[data-session]").first.focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("m")
    page.get_by_role("menuitem", name="Compare").click()
    expect(page.locator(".toast")).to_contain_text(
        "At most 20 sessions can be compared at once: 21 sessions are chosen"
    )
    response = page.goto(f"{project.address}/compare?s={runs[0].session}&s={'0' * 20}")
    assert response is not None
    assert response.status == 404
    expect(page.locator("main")).to_contain_text("Fewer than two of these sessions exist in this project")


@pytest.mark.parametrize("width", [390, pytest.param(1440, marks=pytest.mark.full)])
def test_the_page_does_not_scroll_sideways(page: Page, server: Server, project: Project, width: int) -> None:
    long = "a-very-long-tag-that-somebody-made-from-all-hyperparameters_" * 3
    runs = [make(server, project, f"{long}{n}", best=n, params={f"param-{long}": long * n}) for n in range(1, 9)]
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{project.address}/compare?" + "&".join(f"s={run.session}" for run in runs))
    expect(page.locator("thead th")).to_have_count(8)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
