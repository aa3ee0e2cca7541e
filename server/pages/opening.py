"""What a project's page opens with: a saved view, a stored address, or what its address says."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs

from sqlalchemy import Connection

from ..accounts.addresses import open_address
from ..accounts.views import Viewer, as_json, find_view, read_defaults
from ..db.engine import reading

STORED, VIEW, OWN_VIEW = "v", "view", "mine"  # also in static/js/data/history.js
NO_SUCH_ADDRESS = "This link is no longer stored: it was not used for a year, or belongs to another project."
NO_SUCH_VIEW = "The view of this link has been deleted, or is another person's own."


def opening(viewer: Viewer, query: str) -> dict[str, Any]:
    """What the page's scripts get.

    Args:
        query: the address from behind '?' on.

    Returns:
        {"stored": the stored address that the query names; "view": the view that the page opens with; "default": the id
        of the one that it opens with if the address says nothing; "problem": a sentence}. Each may be None.
    """
    stored, problem = None, None
    id_ = _parameter(query, STORED)
    if id_:
        stored = open_address(viewer.project_id, id_, time.time())
        problem = NO_SUCH_ADDRESS if stored is None else None
    asked = (stored or query).removeprefix("?")
    with reading() as connection:
        default = _default(connection, viewer)
        wanted = _parameter(asked, VIEW) or _parameter(asked, OWN_VIEW)
        view = _view(connection, viewer, wanted) if wanted else None
        if wanted and wanted != "none" and view is None and _parameter(asked, VIEW):
            problem = NO_SUCH_VIEW
        if not query:
            view = default
    return {"stored": stored, "view": view, "default": default and default["id"], "problem": problem}


def _parameter(query: str, name: str) -> str:
    return parse_qs(query).get(name, [""])[0]


def _default(connection: Connection, viewer: Viewer) -> dict[str, Any] | None:
    defaults = read_defaults(connection, viewer)
    found = (_view(connection, viewer, id_) for id_ in (defaults["mine"], defaults["project"]) if id_)
    return next(filter(None, found), None)


def _view(connection: Connection, viewer: Viewer, view_id: str) -> dict[str, Any] | None:
    view = find_view(connection, view_id)
    return as_json(view, viewer) if view is not None and viewer.sees(view) else None
