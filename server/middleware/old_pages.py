"""Reload pages that were opened before an upgrade from a version whose pages did not reload by themselves.

The scripts of those versions go to /login when the read API responds with 401, and /login sends a signed-in user
back to the page. The details page has no such way out: it inserts the parts that it fetches, here one that reloads.

Pages of today name themselves in everything they fetch. To be removed once no such page can be open any more.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, after_this_request, request
from flask_login import current_user

from ..accounts.permissions import key_of
from ..exceptions import ApiError

PAGE_HEADER = "Losswise-Page"  # also in static/js/ui/upgrade.js
RELOADED_COOKIE = "losswise_reloaded"
# between two reloads of a browser's pages: a page of this version may get a script of the previous one in a rolling
# restart, and a proxy may remove the header
PAUSE_S = 60
RELOADING_PART = (
    '<main class="page session" data-version="" data-status="active">'
    '<div data-part="reload"><meta http-equiv="refresh" content="0"></div></main>'
)


def init_app(app: Flask) -> None:
    app.before_request(reload_old_page)


def reload_old_page() -> Any:
    """Respond to a request from a script of such a page; None for every other request."""
    referrer, accepted = urlsplit(request.referrer or ""), request.headers.get("Accept", "")
    asks_list = request.blueprint == "read" and accepted == "application/json"
    asks_part = request.endpoint == "session.details" and referrer.path == request.path and "text/html" not in accepted
    if not (asks_list or asks_part) or referrer.netloc != request.host or PAGE_HEADER in request.headers:
        return None
    # the user last, since that is a query
    if RELOADED_COOKIE in request.cookies or key_of(request) or not current_user.is_authenticated:
        return None
    after_this_request(_remember)
    if asks_part:
        return RELOADING_PART
    raise ApiError(401, "outdated_page", "this page is of an older version: reload it")


def _remember(response: Response) -> Response:
    response.set_cookie(RELOADED_COOKIE, "1", max_age=PAUSE_S, httponly=True, samesite="Lax")
    return response
