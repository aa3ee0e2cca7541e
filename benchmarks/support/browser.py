"""A page in Chromium, for what is measured up to the pixel."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.server import Server


@contextlib.contextmanager
def signed_in_page(server: Server, watch: str) -> Iterator[Any]:
    """A page of the admin, 1440 by 900 pixels; each address that it opens from now on runs the script `watch` first."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS

    own = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=own, args=ARGUMENTS)
        try:
            page = chromium.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(server.sign_in_link())
            page.wait_for_url("**/projects/*")
            page.add_init_script(watch)
            yield page
        finally:
            chromium.close()
