"""The table's first rows, which the page contains: without scripts they are read, with them no request is needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from losswise.protocol import records
from tests.browser.conftest import Project
from tests.browser.looking import row, tags
from tests.support.batches import Writing
from tests.support.server import Server

HOSTILE = "</script><script>alert(1)</script><!-- <script>"


def make(server: Server, project: Project, tag: str, age: float = 0.0, **fields: Any) -> Writing:
    writing = Writing(server, project=project.name, tag=tag, created_at=time.time() - age, **fields)
    writing.points(writing.graph("loss", "min"), [0, 1, 2], val_loss=[3.0, 0.08712, 1.0], train_loss=[1.0, 2.0, 3.0])
    return writing


def texts(page: Page, rows: str) -> list[list[str]]:
    """The cells of these rows, without those that scripts draw otherwise: swatch, id and progress bar."""
    shown: list[list[str]] = page.evaluate(
        """(rows) => [...document.querySelectorAll(`#sessions ${rows}`)].map((row) => [...row.cells].slice(1).map(
            (cell) => (cell.querySelector('.tag') ?? cell).textContent.trim()))""",
        rows,
    )
    return shown


def test_the_same_with_and_without_scripts(sign_in: Callable[..., Page], server: Server, project: Project) -> None:
    make(server, project, "older", age=9_000, tags=["paper"]).end()
    failed = make(server, project, HOSTILE, age=5_000, max_iter=10, params={"x": HOSTILE})
    failed.send(records.values_record({"best": 0.5}))
    failed.end("failed", reason="error", error={"type": "ValueError", "message": HOSTILE})
    plain = sign_in(java_script_enabled=False)
    plain.goto(project.address)
    without = texts(plain, "tbody tr")
    assert [cells[0] for cells in without] == [HOSTILE, "older"]
    page = sign_in()
    page.goto(project.address)
    expect(row(page, "older")).to_be_visible()
    drawn = texts(page, "tbody tr[data-session]")
    head = page.locator("#sessions th").all_inner_texts()[1:]
    assert head == plain.locator("#sessions th").all_inner_texts()[1:]
    assert "min(val_loss)" in head
    columns = [at for at, name in enumerate(head) if name not in ("Status", "Done at")]
    assert [[cells[at] for at in columns] for cells in drawn] == [[cells[at] for at in columns] for cells in without]
    plain.get_by_role("link", name="older").click()
    expect(plain.locator("h1")).to_contain_text("older")


def test_scripts_need_no_request_for_the_first_rows(page: Page, server: Server, project: Project) -> None:
    for n in range(50):
        make(server, project, f"run-{n}", age=100 - n)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/v2/sessions?" in request.url else None)
    page.goto(project.address)
    expect(row(page, "run-49")).to_be_visible()
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    assert all("cursor=" in url for url in asked), asked
    # the rows after them follow
    page.locator("#table-scroll").hover()
    page.mouse.wheel(0, 5_000)
    expect(row(page, "run-0")).to_be_visible()


@pytest.mark.full
def test_the_rows_are_those_of_the_address(sign_in: Callable[..., Page], server: Server, project: Project) -> None:
    for n in range(3):
        make(server, project, f"run-{n}", age=100 - n, params={"n": n}).end("complete" if n else "cancelled")
    for scripts in (False, True):
        page = sign_in(java_script_enabled=scripts)
        for query, wanted in {
            "q=n%3E0": ["run-2", "run-1"],
            "sort=tag": ["run-0", "run-1", "run-2"],
            "status=cancelled": ["run-0"],
            "q=nothing-like-it": [],
            "in=bin": [],
        }.items():
            page.goto(f"{project.address}?{query}")
            if wanted:
                expect(page.locator(f"#sessions tr{'[data-session]' if scripts else ''} .tag")).to_have_text(wanted)
            elif scripts:
                expect(page.locator("#table-empty")).to_be_visible()
            assert tags(page) == wanted


@pytest.mark.full
def test_a_query_with_a_mistake_has_no_first_rows(
    sign_in: Callable[..., Page], server: Server, project: Project
) -> None:
    make(server, project, "run")
    plain = sign_in(java_script_enabled=False)
    plain.goto(f"{project.address}?q=n%3C%3C1")
    assert tags(plain) == []
    page = sign_in()
    page.goto(f"{project.address}?q=n%3C%3C1")
    expect(page.locator("#mistake")).to_be_visible()
    expect(row(page, "run")).to_be_visible()  # of the query before, which is none


def test_columns_that_the_person_has_chosen(sign_in: Callable[..., Page], server: Server, project: Project) -> None:
    make(server, project, "run", params={"lr": 0.1, "model": {"depth": 18}}, group="folds")
    layout = {
        "shown": {"params.model.depth": True, "last(val_loss)": True, "iter": False, "group": True},
        "order": ["tag", "group", "status"],
        "pinned": ["params.model.depth"],
        "widths": {"group": 200},
    }
    address = f"{server.url}/api/v2/projects/{server.project_id(project.name)}/preferences/columns"
    assert server.signed_in().put(address, json=layout, timeout=30).status_code == 200
    heads = []
    for scripts in (False, True):
        page = sign_in(java_script_enabled=scripts)
        page.goto(project.address)
        expect(page.locator("#sessions th").get_by_text("Group", exact=True)).to_be_visible()
        if scripts:
            expect(page.locator("tr[data-session]")).to_have_count(1)
        heads.append(page.locator("#sessions th").all_inner_texts())
    assert heads[0] == heads[1]
    assert heads[0][1:4] == ["Tag", "model.depth", "Group"]
