"""The stream of events as pages use it: visible tabs have one, nothing is lost with it, and without it they poll."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page, Route, expect

from tests.browser.conftest import Project
from tests.browser.looking import drawn, expect_shown, row, wait_drawn
from tests.support.batches import Writing
from tests.support.network.forwarder import Forwarder
from tests.support.network.stream import SilentStream
from tests.support.server import Server, eventually


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


def hide(tab: Page) -> None:
    """Make the page believe that another tab is in front of it."""
    tab.evaluate(
        """() => {
            Object.defineProperty(document, 'hidden', { value: true, configurable: true });
            document.dispatchEvent(new Event('visibilitychange'));
        }"""
    )


def show(tab: Page) -> None:
    tab.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")


@pytest.mark.full
def test_several_tabs_follow_what_each_shows(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    other = Project(server)
    here = [Run(server, project, f"here {number}") for number in range(2)]
    there = Run(server, other, "there")
    selections = [here[:1], here, [there]]
    shown = [(path_of(other if there in runs else project), runs) for runs in selections]
    tabs = open_tabs(page, forwarder, shown)
    for run in [*here, there]:
        run.grow()
    for tab, runs in zip(tabs, selections, strict=True):
        for run in runs:
            run.wait_drawn(tab)
        assert set(drawn(tab, "loss")) == {run.session for run in runs}
        listed = [there] if there in runs else here
        tags = tab.locator("#sessions .tag")
        expect(tags).to_have_count(len(listed))
        assert sorted(tags.all_inner_texts()) == sorted(run.writing.row()["tag"] for run in listed)
    eventually(lambda: len(forwarder.streams) == len(tabs))
    assert sorted(stream.partition("session=")[2] for stream in forwarder.streams) == sorted(
        ",".join(run.session for run in runs) for runs in selections
    )
    hide(tabs[1])
    eventually(lambda: len(forwarder.streams) == 2)
    tabs[2].close()
    eventually(lambda: len(forwarder.streams) == 1)
    here[0].grow()
    here[0].wait_drawn(tabs[0])
    show(tabs[1])
    here[0].wait_drawn(tabs[1])


def test_a_tab_that_is_opened_in_the_background_follows_once_it_is_shown(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "behind")
    page.context.add_init_script("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.goto(f"{forwarder.url}{path_of(project)}?s={run.session}")
    run.wait_drawn(page)
    expect(page.locator("#live")).to_have_text("connecting")
    page.wait_for_timeout(300)
    assert forwarder.asked == []
    show(page)
    expect(page.locator("#live")).to_have_text("live")
    run.grow()
    run.wait_drawn(page)


@pytest.mark.full
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
    eventually(lambda: len(forwarder.asked) >= 5)
    run.grow()
    run.wait_drawn(page)


def test_a_hidden_tab_closes_its_stream_and_catches_up_when_it_is_shown(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "hidden")
    [page] = open_tabs(page, forwarder, [(path_of(project), [run])])
    run.wait_drawn(page)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    hide(page)
    eventually(lambda: not forwarder.streams)
    run.grow()
    late = Run(server, project, "begun meanwhile")
    page.wait_for_timeout(3_000)  # longer than it takes to begin polling
    counts = [url for url in requests if url.endswith("&limit=1")]  # the chips', of a second before
    assert requests == counts
    assert len(forwarder.asked) == 1
    show(page)
    run.wait_drawn(page)
    expect(row(page, "begun meanwhile")).to_be_visible()
    expect(page.locator("#live")).to_have_text("live")
    assert len(forwarder.asked) == 2
    late.grow()
    run.grow()
    run.wait_drawn(page)


def test_a_page_of_another_version_reloads_itself_once_and_keeps_its_view(
    page: Page, server: Server, project: Project
) -> None:
    runs = [Run(server, project, "upgraded"), Run(server, project, "beside")]
    page.goto(server.url)
    own = page.locator("html").get_attribute("data-version")
    served: list[str] = []

    def serve(route: Route) -> None:
        answer = route.fetch()
        text = answer.text()
        assert own is not None
        assert text.index(own) == text.index("data-version=") + len('data-version="')
        served.append(route.request.url)
        route.fulfill(response=answer, body=text.replace(own, "v-000000000000", 1))

    page.route("**/projects/*", serve)
    address = f"{project.address}?q=upgraded&s={runs[0].session}&s={runs[1].session}&x=step"
    page.goto(address)
    for _ in range(150):
        if len(served) == 2:
            break
        page.wait_for_timeout(100)
    expect(page.locator("#live")).to_have_text("live")
    page.wait_for_timeout(1_000)
    assert served == [address] * 2  # the page that came was of another version again: no loop
    assert page.url == address
    expect_shown(page, "upgraded")
    for run in runs:
        run.grow()
        run.wait_drawn(page)


def test_a_page_in_use_waits_with_its_reload_until_it_is_hidden(page: Page, server: Server, project: Project) -> None:
    run = Run(server, project, "in use")
    page.goto(project.address)
    run.wait_drawn(page)
    page.fill("#graph-filter", "loss")
    page.evaluate("document.documentElement.dataset.version = 'v-000000000000'; window.isOld = true")
    hide(page)
    with page.expect_request("**/live?*"):
        show(page)
    run.grow()
    run.wait_drawn(page)
    page.wait_for_timeout(500)
    assert page.evaluate("window.isOld")
    with page.expect_navigation():
        hide(page)
    run.wait_drawn(page)
    assert page.evaluate("window.isOld") is None


@pytest.mark.full
def test_behind_a_proxy_that_holds_the_stream_back_the_page_polls(
    page: Page, server: Server, project: Project, forwarder: Forwarder
) -> None:
    run = Run(server, project, "held back")
    forwarder.holds = True
    page.goto(forwarder.url + path_of(project))
    expect(page.locator("#live")).to_have_text("polling every 2 s", timeout=15_000)
    run.grow()
    run.wait_drawn(page)


@pytest.mark.full
def test_where_the_server_is_full_the_page_polls_says_so_and_comes_back(
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
    expect(page.locator("#live")).to_have_text("polling every 2 s")
    run.grow()
    run.wait_drawn(page)
    for stream in held:
        stream.close()
    expect(page.locator("#live")).to_have_text("live", timeout=20_000)
    run.grow()
    run.wait_drawn(page)
