"""The stream of events as pages use it: tabs share one, nothing is lost with it, and without it they ask."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page, expect

from tests.browser.conftest import Project
from tests.browser.looking import drawn, wait_drawn
from tests.support.batches import Writing
from tests.support.forwarder import Forwarder
from tests.support.server import Server, eventually
from tests.support.stream import SilentStream


@pytest.fixture
def forwarder(server: Server) -> Iterator[Forwarder]:
    with Forwarder(server.port) as forwarder:
        yield forwarder


class Run:
    """A session with one graph, which grows by a point at a time."""

    def __init__(self, server: Server, project: Project, tag: str) -> None:
        self.writing = Writing(server, project=project.name, tag=tag)
        self.graph = self.writing.graph()
        self.count = 0
        self.grow()

    @property
    def session(self) -> str:
        return self.writing.session

    def grow(self) -> None:
        self.writing.points(self.graph, [self.count], loss=[1 / (1 + self.count)])
        self.count += 1

    def wait_drawn(self, page: Page) -> None:
        """Until the page has drawn every point, each once."""
        line = wait_drawn(page, "loss", self.session, "loss", f"line.x.length >= {self.count}")
        assert line["x"] == list(range(self.count))


def open_tabs(page: Page, forwarder: Forwarder, shown: list[tuple[str, list[Run]]]) -> list[Page]:
    """A tab of one browser for each project's path and sessions; the first is `page`."""
    tabs = [page, *(page.context.new_page() for _ in shown[1:])]
    for tab, (path, runs) in zip(tabs, shown, strict=True):
        tab.set_default_timeout(15_000)
        tab.goto(f"{forwarder.url}{path}?" + "&".join(f"s={run.session}" for run in runs))
    for tab in tabs:
        expect(tab.locator("#live")).to_have_text("live", timeout=15_000)
    return tabs


def path_of(project: Project) -> str:
    return "/projects/" + project.address.rpartition("/")[2]


def test_ten_tabs_share_one_stream(page: Page, server: Server, project: Project, forwarder: Forwarder) -> None:
    other = Project(server)
    here = [Run(server, project, f"here {number}") for number in range(3)]
    there = [Run(server, other, f"there {number}") for number in range(2)]
    selections = [*([run] for run in here), here[:2], here, *([run] for run in there), there, here[1:], here]
    shown = [(path_of(other if runs[0] in there else project), runs) for runs in selections]
    tabs = open_tabs(page, forwarder, shown)

    def check(open_: list[tuple[Page, list[Run]]]) -> None:
        for run in [*here, *there]:
            run.grow()
        for tab, runs in open_:
            for run in runs:
                run.wait_drawn(tab)
            expect(tab.locator("#live")).to_have_text("live")
        eventually(lambda: len(forwarder.streams) == 1)

    check(list(zip(tabs, selections, strict=True)))
    [stream] = forwarder.streams
    assert stream.count("project_id=") == 2
    asked = len(forwarder.asked)
    for tab, runs in zip(tabs, selections, strict=True):
        assert set(drawn(tab, "loss")) == {run.session for run in runs}
        tags = tab.locator("#sessions .tag").all_inner_texts()
        assert sorted(tags) == sorted(run.writing.row()["tag"] for run in (there if runs[0] in there else here))
    tabs[0].close()
    check(list(zip(tabs[1:], selections[1:], strict=True)))
    assert len(forwarder.asked) == asked  # the stream went on


def end_worker(page: Page) -> None:
    """End the process's shared worker, as a crash does: pages are not told."""
    browser = page.context.browser
    assert browser is not None
    devtools = browser.new_browser_cdp_session()
    targets = devtools.send("Target.getTargets", {"filter": [{"type": "shared_worker"}]})["targetInfos"]
    assert targets
    for target in targets:
        devtools.send("Target.closeTarget", {"targetId": target["targetId"]})
    devtools.detach()


def test_tabs_find_out_that_the_stream_was_lost_with_its_process(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "goes on")
    tabs = open_tabs(page, forwarder, [(path_of(project), [run])] * 3)
    run.grow()
    for tab in tabs:
        run.wait_drawn(tab)
    end_worker(page)
    eventually(lambda: not forwarder.streams)
    for _ in range(5):
        run.grow()
    for tab in tabs:
        run.wait_drawn(tab)
    eventually(lambda: len(forwarder.streams) == 1)


def test_a_crashed_tab_takes_nothing_with_it(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "goes on")
    tabs = open_tabs(page, forwarder, [(path_of(project), [run])] * 3)
    with page.expect_event("crash"):
        with contextlib.suppress(Error):
            page.goto("chrome://crash")
    for tab in tabs[1:]:
        run.grow()
        run.wait_drawn(tab)


def test_every_point_is_drawn_once_though_streams_break_in_the_middle_of_an_event(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "cut")
    [page] = open_tabs(page, forwarder, [(path_of(project), [run])])
    while forwarder.cuts < 4:
        if forwarder.streams:
            forwarder.cut()
        run.grow()
        page.wait_for_timeout(60)
    for _ in range(5):
        run.grow()
    run.wait_drawn(page)
    assert len(forwarder.asked) >= 5


def test_a_hidden_tab_catches_up_when_it_is_looked_at(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "hidden")
    [page] = open_tabs(page, forwarder, [(path_of(project), [run])])
    run.wait_drawn(page)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    forwarder.cut()
    run.grow()
    eventually(lambda: len(forwarder.asked) == 2 and forwarder.streams)
    expect(page.locator("#live")).to_have_text("live")
    page.wait_for_timeout(300)
    counts = [url for url in requests if url.endswith("&limit=1")]  # the chips', of a second before
    assert requests == counts
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    run.wait_drawn(page)


def test_without_shared_workers_a_tab_has_its_own_stream(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "alone")
    page.context.add_init_script("delete globalThis.SharedWorker")
    tabs = open_tabs(page, forwarder, [(path_of(project), [run])] * 2)
    run.grow()
    for tab in tabs:
        run.wait_drawn(tab)
    assert len(forwarder.streams) == 2


def test_behind_a_proxy_that_holds_the_stream_back_the_page_asks(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "held back")
    forwarder.holds = True
    page.goto(forwarder.url + path_of(project))
    expect(page.locator("#live")).to_have_text("asking every 2 s", timeout=15_000)
    run.grow()
    run.wait_drawn(page)


def test_where_the_server_is_full_the_page_asks_says_so_and_comes_back(
    page: Page, server: Server, project: Project
) -> None:
    run = Run(server, project, "late")
    number = project.address.rpartition("/")[2]
    held: list[SilentStream] = []
    page.goto("about:blank")
    for _ in range(2):
        while not held or held[-1].status == 200:
            held.append(SilentStream(server, f"/live?project_id={number}"))
        assert held.pop().status == 503
        page.wait_for_timeout(2500)  # the place of the page before is free by then
    page.goto(project.address)
    expect(page.locator("#live")).to_have_text("asking every 2 s")
    run.grow()
    run.wait_drawn(page)
    for stream in held:
        stream.close()
    expect(page.locator("#live")).to_have_text("live", timeout=20_000)
    run.grow()
    run.wait_drawn(page)
