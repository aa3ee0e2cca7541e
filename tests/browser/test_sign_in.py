"""Signing in and out, and what a stranger sees."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.server import ADMIN_EMAIL, ADMIN_PASSWORD, Server


def test_the_link_signs_in_once(new_page: Callable[..., Page], server: Server) -> None:
    link = server.sign_in_link()
    page = new_page()
    page.goto(link)
    page.wait_for_url("**/projects/*")
    expect(page.locator("#sessions")).to_be_attached()
    other = new_page()
    other.goto(link)
    expect(other.locator("#password")).to_be_visible()


def test_enter_in_the_password_field_signs_in(new_page: Callable[..., Page], server: Server) -> None:
    page = new_page()
    page.goto(server.url + "/")
    page.wait_for_url(re.compile("/login"))
    page.fill("[name=email]", ADMIN_EMAIL)
    page.fill("[name=password]", ADMIN_PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/projects/*")


def test_a_wrong_password_is_told_and_the_address_kept(new_page: Callable[..., Page], server: Server) -> None:
    page = new_page()
    page.goto(server.url + "/login")
    page.fill("#email", ADMIN_EMAIL)
    page.fill("#password", "wrong")
    page.press("#password", "Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#email")).to_have_value(ADMIN_EMAIL)


def test_signing_out(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.locator("summary.avatar").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/login"))
    page.goto(server.url + "/projects")
    page.wait_for_url(re.compile("/login"))
