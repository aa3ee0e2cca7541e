"""Reload pages that were opened before an upgrade from a version whose pages did not reload by themselves.

The scripts of those versions go to /login when the read API responds with 401, and /login sends a signed-in user
back to the page. The details page has no such way out: it inserts the parts that it fetches, here one that reloads.

Pages of today name themselves in everything they fetch. To be removed once no such page can be open any more.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, request
from flask_login import current_user

from ..accounts.permissions import key_of
from ..exceptions import ApiError

PAGE_HEADER = "Losswise-Page"  # also in static/js/ui/upgrade.js
RELOADING_PART = (
    '<main class="page session" data-version="" data-status="active">'
    '<div data-part="reload"><meta http-equiv="refresh" content="0"></div></main>'
)


def init_app(app: Flask) -> None:
    app.before_request(reload_old_page)


def reload_old_page() -> Any:
    """Respond to a request from a script of such a page; None for every other request."""
    referrer = urlsplit(request.referrer or "")
    is_fetched = request.method == "GET" and referrer.netloc == request.host and "text/html" not in _accepted()
    if not is_fetched or PAGE_HEADER in request.headers or key_of(request) or not current_user.is_authenticated:
        return None
    if request.blueprint == "read" and _accepted() == "application/json":
        raise ApiError(401, "outdated_page", "this page is of an older version: reload it")
    if request.endpoint == "session.details" and referrer.path == request.path:
        return RELOADING_PART
    return None


def _accepted() -> str:
    return request.headers.get("Accept", "")
