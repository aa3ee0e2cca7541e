"""New, changed and gone sessions in the table: in the order of arrival at the server, whatever clients' clocks say."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from losswise.protocol import records
from tests.browser.conftest import Project
from tests.browser.looking import LOAD, expect_shown, row, tags, wait_drawn
from tests.support.batches import Writing
from tests.support.processes import kill_with_workers
from tests.support.server import Server, clean_environment, eventually

SCRIPT = """
import sys, time
from pathlib import Path

tag, project, ahead, folder = sys.argv[1:]
here = time.time
time.time = lambda: here() + float(ahead)
import losswise

losswise.Session  # imported by now
Path(folder, f"{tag}.ready").touch()
while not Path(folder, "start").exists():
    time.sleep(0.005)
with losswise.Session(tag=tag, project=project, track_git=False) as session:
    session.graph("loss", kind="min").append(0, {"loss": 0.5})
    while not Path(folder, "end").exists():
        time.sleep(0.05)
"""
FOLLOWED = f"""async () => {{ {LOAD}
    const {{ list }} = await load('data/list_state.js');
    const {{ sessions }} = await load('data/store.js');
    return {{
        rows: Object.fromEntries(list.ids.map((id) => [id, sessions.get(id).status])),
        announced: [...list.unplaced],
        ids: list.ids,
    }};
}}"""


class Scripts:
    """Real training scripts, each in a process of its own, that wait for each other."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.processes: list[subprocess.Popen[bytes]] = []
        (folder / "train.py").write_text(SCRIPT)

    def add(self, project: str, tag: str, ahead: float = 0.0, **environ: str) -> None:
        home = self.folder / tag
        given = {"LW_API_KEY": self.server.api_key, "LW_BASE_URL": self.server.url, **environ}
        words = [sys.executable, str(self.folder / "train.py"), tag, project, str(ahead), str(self.folder)]
        self.processes.append(subprocess.Popen(words, env=clean_environment(home, **given), cwd=home))

    def start(self) -> None:
        """Let them make their sessions, all at the same moment."""
        eventually(lambda: len(list(self.folder.glob("*.ready"))) == len(self.processes), timeout=60)
        (self.folder / "start").touch()

    def end(self) -> None:
        (self.folder / "end").touch()
        for process in self.processes:
            assert process.wait(30) == 0


@pytest.fixture
def scripts(server: Server, tmp_path: Path) -> Iterator[Scripts]:
    scripts = Scripts(server, tmp_path)
    yield scripts
    for process in scripts.processes:
        process.kill()
        process.wait()


def open_live(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#live")).to_have_text("live")


def listed(server: Server, project: Project, **asked: Any) -> list[Any]:
    rows: list[Any] = server.get("/api/v2/sessions", project=project.name, limit=1000, **asked)["sessions"]
    return rows


def make(server: Server, project: Project, count: int, name: str = "run", age: float = 1_000.0) -> list[Writing]:
    """Sessions that are followed by none yet; the first is the oldest."""
    now = time.time()
    return [
        Writing(server, project=project.name, tag=f"{name}-{number:03d}", created_at=now - age + number / 100)
        for number in range(count)
    ]


def followed(page: Page) -> Any:
    """What the page knows: the status of each row, and the ids that it announces."""
    return page.evaluate(FOLLOWED)


def scroll_to_end(page: Page, wanted: int) -> None:
    """Scroll down until so many rows are loaded, and to the last of them."""
    for _ in range(100):
        is_loaded = len(followed(page)["ids"]) >= wanted
        page.locator("#table-scroll").evaluate(
            "async (box) => { await new Promise(requestAnimationFrame); box.scrollTop = box.scrollHeight }"
        )
        if is_loaded:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{len(followed(page)['ids'])} of {wanted} rows are loaded")


def test_a_sweep_of_eight_scripts_appears_within_a_second(
    page: Page, server: Server, project: Project, scripts: Scripts
) -> None:
    Writing(server, project=project.name, tag="earlier")
    for number in range(8):
        scripts.add(project.name, f"sweep-{number}")
    open_live(page, project.address)
    scripts.start()
    eventually(lambda: len(listed(server, project)) == 9, every=0.02)
    expect(page.locator("#sessions .tag")).to_have_count(9, timeout=15_000)
    assert tags(page) == [session["tag"] for session in listed(server, project)]
    expect(page.locator("[data-status=active]")).to_have_text("Active 9", timeout=15_000)
    scripts.end()
    expect(page.locator("[data-status=complete]")).to_have_text("Complete 8")


def test_machines_with_wrong_clocks_and_an_earlier_run_appear(
    page: Page, server: Server, project: Project, scripts: Scripts
) -> None:
    Writing(server, project=project.name, tag="here")
    scripts.add(project.name, "ahead", ahead=3_600)
    scripts.add(project.name, "behind", ahead=-3_600)
    scripts.add(project.name, "offline", ahead=-90 * 86_400, LW_MODE="offline")
    open_live(page, project.address)
    scripts.start()
    expect(page.locator("#sessions .tag")).to_have_text(["ahead", "here", "behind"])
    # the first row is of a clock that is ahead: what comes later is below it, and is seen all the same
    Writing(server, project=project.name, tag="later")
    expect(page.locator("#sessions .tag")).to_have_text(["ahead", "later", "here", "behind"], timeout=15_000)
    scripts.end()
    home = scripts.folder / "offline"
    environ = clean_environment(home, LW_API_KEY=server.api_key, LW_BASE_URL=server.url)
    done = subprocess.run(server.command("sync"), env=environ, cwd=home, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    expect(page.locator("#sessions .tag")).to_have_text(["ahead", "later", "here", "behind", "offline"], timeout=15_000)
    assert tags(page) == [session["tag"] for session in listed(server, project)]


def hidden(page: Page, act: Callable[[], None]) -> None:
    """Do something while another tab is in front of the page."""
    page.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', { value: true, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )
    act()
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


def without_stream(page: Page, act: Callable[[], None]) -> None:
    """Do something while the page has no stream, and polls."""

    def refuse(route: Route) -> None:
        route.fulfill(status=503, body="full")

    page.route("**/live?*", refuse)
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide'))")
    act()
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(page.locator("#live")).to_have_text("polling every 2 s")
    page.unroute("**/live?*")


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize("interrupted", [hidden, without_stream])
def test_after_a_break_every_loaded_row_is_as_the_server_holds_it(
    page: Page, server: Server, project: Project, interrupted: Callable[[Page, Callable[[], None]], None]
) -> None:
    runs = make(server, project, 160)
    open_live(page, project.address)
    scroll_to_end(page, 160)

    def change() -> None:
        runs[0].end("complete")
        runs[1].end("failed", reason="error")
        for run in [runs[2], *runs[100:130]]:
            assert server.request("DELETE", f"/api/v2/sessions/{run.session}").ok
        Writing(server, project=project.name, tag="meanwhile")
        Writing(server, project=project.name, tag="older", created_at=time.time() - 5_000)

    interrupted(page, change)
    held = listed(server, project)
    eventually(lambda: followed(page)["ids"] == [session["id"] for session in held], timeout=15)
    assert followed(page)["rows"] == {session["id"]: session["status"] for session in held}
    scroll_to_end(page, len(held))
    expect(row(page, "older")).to_be_visible()  # the last one
    expect(row(page, "run-000").locator(".status")).to_contain_text("complete")


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_after_a_restart_of_the_server_rows_are_brought_up_to_date(
    new_page: Callable[..., Page], own_server: Server
) -> None:
    server, project = own_server, Project(own_server)
    runs = make(server, project, 105)
    page = new_page()
    cookies = server.signed_in().cookies
    page.context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies.items()])
    open_live(page, project.address)
    scroll_to_end(page, 105)
    asked: list[str] = []
    kill_with_workers(server)
    page.on("request", lambda request: asked.append(request.url))
    expect(page.locator("#live")).not_to_have_text("live")
    server.start(server.port)
    runs[0].end("failed", reason="error")
    assert server.request("DELETE", f"/api/v2/sessions/{runs[1].session}").ok
    expect(page.locator("#live")).to_have_text("live", timeout=20_000)
    expect(row(page, "run-000").locator(".status")).to_contain_text("failed")
    expect(row(page, "run-001")).to_have_count(0)
    assert not [url for url in asked if "sort=" in url], "the rows were loaded again"


def test_after_too_many_changes_all_rows_are_loaded_again(page: Page, server: Server, project: Project) -> None:
    runs = make(server, project, 3)
    open_live(page, project.address)

    def reset(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={"cursor": answer.json()["cursor"], "reset": True})

    page.route("**/api/v2/sessions/changes?*", reset, times=1)

    def change() -> None:
        runs[0].end("failed")
        assert server.request("DELETE", f"/api/v2/sessions/{runs[1].session}").ok
        Writing(server, project=project.name, tag="meanwhile")

    hidden(page, change)
    expect(page.locator("#sessions .tag")).to_have_text(["meanwhile", "run-002", "run-000"])
    expect(row(page, "run-000").locator(".status")).to_contain_text("failed")
    expect_shown(page, "meanwhile", "run-002", "run-000")


@pytest.mark.full
def test_a_page_of_the_table_that_fails_is_tried_again(page: Page, server: Server, project: Project) -> None:
    make(server, project, 230)
    open_live(page, project.address)
    failing = [503, 502]

    def fail(route: Route) -> None:
        if failing:
            route.fulfill(status=failing.pop(), json={"error": "The database is busy.", "code": "unavailable"})
        else:
            route.continue_()

    page.route("**/api/v2/sessions?*cursor=*", fail)
    page.locator("#table-scroll").evaluate("box => { box.scrollTop = box.scrollHeight }")
    foot = page.locator("#table-foot")
    expect(foot).to_contain_text("The next rows could not be loaded. The database is busy. Trying again")
    assert len(followed(page)["ids"]) == 60  # those that the page contains
    expect(foot).to_be_hidden(timeout=15_000)  # after one second, and after two more
    scroll_to_end(page, 230)
    assert failing == []
    expect(row(page, "run-000")).to_be_visible()


def test_the_person_can_have_a_page_tried_at_once(page: Page, server: Server, project: Project) -> None:
    make(server, project, 3)
    open_live(page, project.address)
    answers = [503]

    def fail(route: Route) -> None:
        if answers:
            route.fulfill(status=answers[0], body="no JSON")
        else:
            route.continue_()

    page.route("**/api/v2/sessions?*sort=tag*", fail)
    page.locator("th button", has_text="Tag").click()
    foot = page.locator("#table-foot")
    expect(foot).to_contain_text("The server responded with status 503. Trying again")
    assert tags(page) == ["run-002", "run-001", "run-000"]
    expect(page.locator("#sessions.waiting")).to_have_count(1)
    page.wait_for_timeout(1_500)
    answers.clear()
    foot.get_by_role("button", name="Try now").click()
    expect(page.locator("#sessions .tag")).to_have_text(["run-000", "run-001", "run-002"], timeout=15_000)
    expect(foot).to_be_hidden()


def test_known_sessions_begin_to_match_and_cease_to(page: Page, server: Server, project: Project) -> None:
    first, second, third = make(server, project, 3)
    first.end("failed")
    open_live(page, f"{project.address}?status=failed")
    expect(page.locator("#sessions .tag")).to_have_text(["run-000"])
    third.end("failed")
    expect(page.locator("#sessions .tag")).to_have_text(["run-002", "run-000"], timeout=15_000)
    expect(page.locator("[data-status=failed]")).to_have_text("Failed 2")
    third.send(records.status_record("active", time.time()))
    third.points(third.graph(), [0], loss=[0.5])
    expect(page.locator("tr.unmatched .tag")).to_have_text("run-002", timeout=15_000)
    assert tags(page) == ["run-002", "run-000"]  # no row moves
    page.get_by_role("button", name="Tag").click()
    expect(page.locator("#sessions .tag")).to_have_text(["run-000"])
    second.end("failed")
    news = page.locator("#news")
    expect(news).to_have_text("1 new", timeout=15_000)
    news.click()
    expect(page.locator("#sessions .tag")).to_have_text(["run-000", "run-001"])
    expect(news).to_be_hidden()


@pytest.mark.full
def test_a_query_that_sessions_begin_to_match(page: Page, server: Server, project: Project) -> None:
    first, second = make(server, project, 2)
    first.send(records.values_record({"score": 5}))
    open_live(page, f"{project.address}?q=values.score>3")
    expect(page.locator("#sessions .tag")).to_have_text(["run-000"])
    second.send(records.values_record({"score": 4}))
    expect(page.locator("#sessions .tag")).to_have_text(["run-001", "run-000"], timeout=15_000)
    Writing(server, project=project.name, tag="without")
    first.send(records.values_record({"score": 1}))
    expect(page.locator("tr.unmatched .tag")).to_have_text("run-000", timeout=15_000)
    assert tags(page) == ["run-001", "run-000"]
    assert server.request("DELETE", f"/api/v2/sessions/{second.session}").ok
    expect(page.locator("#sessions .tag")).to_have_text(["run-000"], timeout=15_000)


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_no_session_is_lost_over_the_edges_of_pages(page: Page, server: Server, project: Project) -> None:
    """Runs go on while the table, sorted by their steps, is loaded page by page: each is a row, or announced."""
    runs = make(server, project, 150)
    graphs = [run.graph() for run in runs]
    for number, (run, graph) in enumerate(zip(runs, graphs, strict=True)):
        run.points(graph, [number], loss=[0.5])
    open_live(page, f"{project.address}?sort=-last_x")
    expect(page.locator("#sessions .tag").first).to_have_text("run-149")
    for run, graph in list(zip(runs, graphs, strict=True))[:10]:  # from the second page to the top
        run.points(graph, [1_000], loss=[0.5])
    page.wait_for_timeout(500)
    expect(page.locator("#news")).to_be_hidden()  # they may be on a later page
    scroll_to_end(page, 140)
    expect(page.locator("#news")).to_have_text("10 new")
    found = followed(page)
    assert sorted([*found["ids"], *found["announced"]]) == sorted(run.session for run in runs)
    page.locator("#news").click()
    eventually(lambda: len(followed(page)["ids"]) == 150, timeout=15)
    page.locator("#table-scroll").evaluate("box => { box.scrollTop = 0 }")
    expect(page.locator("#sessions .tag").first).to_have_text("run-009")


def test_the_newest_are_shown_until_the_person_chooses(page: Page, server: Server, project: Project) -> None:
    make(server, project, 6)
    open_live(page, project.address)
    expect_shown(page, "run-005", "run-004", "run-003", "run-002", "run-001")
    assert page.url == project.address
    started = Writing(server, project=project.name, tag="started")
    started.points(started.graph(), [0, 1], loss=[1, 0.5])
    wait_drawn(page, "loss", started.session, "loss")
    expect_shown(page, "started", "run-005", "run-004", "run-003", "run-002")
    behind = Writing(server, project=project.name, tag="behind", created_at=time.time() - 3_600)
    behind.points(behind.graph(), [0, 1], loss=[1, 0.5])
    wait_drawn(page, "loss", behind.session, "loss")
    expect_shown(page, "started", "run-005", "run-004", "run-003", "behind")
    assert page.url == project.address
    page.reload()
    expect_shown(page, "started", "run-005", "run-004", "run-003", "run-002")
    row(page, "run-003").locator(".swatch").click()
    expect_shown(page, "started", "run-005", "run-004", "run-002")
    Writing(server, project=project.name, tag="later")
    expect(row(page, "later")).to_be_visible(timeout=15_000)
    page.wait_for_timeout(300)
    expect_shown(page, "started", "run-005", "run-004", "run-002")
    assert f"s={started.session}" in page.url
