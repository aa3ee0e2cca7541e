"""A real Chromium that looks at a real server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from losswise.protocol import records
from tests.support.server import Server

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium: the machine's own, else the one that `playwright install chromium` brought."""
    own = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=own, args=ARGUMENTS)
        except Error as error:
            sentence = f"no Chromium starts here; run 'playwright install chromium' ({str(error)[:200]})"
            if os.environ.get("CI"):
                pytest.fail(sentence)
            pytest.skip(sentence)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages, each of a new visitor. Fails the test where one said something in its console: an error, or
    something that the Content-Security-Policy refused."""
    said: list[str] = []
    contexts = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    # an address that refuses, as a wrong password does, is in the console too; the tests expect those
    assert [text for text in said if "Failed to load resource" not in text] == []


@pytest.fixture
def sign_in(new_page: Callable[..., Page], server: Server) -> Callable[..., Page]:
    """Opens pages that are signed in as the admin, and empty yet. The cookies are those of a sign-in without the
    browser, which takes far longer with it."""

    def open_page(**options: Any) -> Page:
        page = new_page(**options)
        cookies = server.signed_in().cookies
        page.context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies.items()])
        return page

    return open_page


@pytest.fixture
def page(sign_in: Callable[..., Page]) -> Page:
    return sign_in()


@pytest.fixture
def project(server: Server) -> Project:
    """A project of the test's own, without sessions."""
    return Project(server)


class Project:
    """A project with a name of its own: its sessions are made with `project=project.name`."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = f"test {records.new_id()}"

    @property
    def address(self) -> str:
        projects = self.server.get("/api/v2/projects")["projects"]
        [id_] = [project["id"] for project in projects if project["name"] == self.name]
        return f"{self.server.url}/projects/{id_}"
