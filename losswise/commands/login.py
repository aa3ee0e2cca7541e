"""`losswise login`: check an API key with a server, and store both for this user."""

from __future__ import annotations

import re
import sys
from getpass import getpass

from losswise.delivery.client import NO_HTTPS, Client
from losswise.settings import check_base_url
from losswise.util.credentials import store_login
from losswise.util.messages import notify

TIMEOUT_S = 10.0


def login(url: str, key: str | None = None) -> int:
    """Check the key with the server, and store it together with the address.

    Args:
        url: the server's address; http:// is assumed if it has no scheme.
        key: the API key; if None, the user is asked for it, or it is read from standard input.

    Returns:
        The exit status: 0, or 1 if nothing was stored.
    """
    try:
        address = check_base_url(url if "://" in url else f"http://{url}")
    except ValueError as error:
        return _fail(str(error))
    if not key:
        response = Client(address, "").get("/api/v2/me", TIMEOUT_S)
        if response.status not in (200, 401, 403):  # before somebody looks for a key
            return _fail(_describe_address(address, response.reason))
    if not key and sys.stdin is not None:
        key = getpass(f"API key for {address}: ") if sys.stdin.isatty() else sys.stdin.readline()
    key = (key or "").strip()
    if not key:
        return _fail("no key was given; the server's quickstart page shows one")
    response = Client(address, key).get("/api/v2/me", TIMEOUT_S)
    if response.status in (401, 403):
        return _fail(f"{address} does not accept this key ({response.reason})")
    if response.status != 200 or "organization" not in response.body:
        return _fail(_describe_address(address, response.reason))
    try:
        path = store_login(address, key)
    except OSError as error:
        return _fail(f"the login cannot be stored ({error})")
    project = (response.body.get("project") or {}).get("name")
    print(f"{address} accepts the key{f' for the project {project!r}' if project else ''}; stored in {path}")
    return 0


def _describe_address(address: str, problem: str) -> str:
    """Say what is wrong with an address where no losswise server answers, and what to try."""
    if problem == NO_HTTPS:
        return f"{address} does not speak https; try http://"
    root = re.match(r"https?://[^/]+", address)
    hint = f"; try {root[0]}, without what follows it" if root and root[0] != address else ""
    return f"no losswise server answers at {address} ({problem}){hint}"


def _fail(sentence: str) -> int:
    notify(sentence)
    return 1
