"""What a project's page opens with: a saved view, a stored address, or what its address says."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from ..accounts.addresses import open_address
from ..accounts.views import Viewer, as_json, find_view, read_defaults
from ..db.engine import reading

STORED, VIEW, OWN_VIEW, WITHOUT = "v", "view", "mine", "without"  # also in static/js/data/history.js, overlay.js
NO_SUCH_ADDRESS = "This link is no longer stored: it was not used for a year, or belongs to another project."
NO_SUCH_VIEW = "The view of this link has been deleted, or is another person's own."
_COLUMN = re.compile(r"([*-]?)(\.?)(.*?)(?::(\d{1,4}))?", re.DOTALL)  # also in static/js/data/column_address.js


@dataclass(frozen=True)
class Opening:
    """What a page opens with.

    Attributes:
        address: all that the address says, with the view and what was stored.
        stored: the stored address that the page's own one names, from '?' on.
        view: the view that the page opens with.
        default: the id of the view that it opens with if its address says nothing.
        problem: a sentence about what the address names and is not there.
    """

    address: MultiDict[str, str]
    stored: str | None
    view: dict[str, Any] | None
    default: str | None
    problem: str | None

    @property
    def layout(self) -> dict[str, Any] | None:
        """The columns that the address gives; None: those that the person has kept."""
        if "cols" in self.address or "x" in self.address:
            return read_columns(self.address.get("cols", ""))
        return None

    def as_json(self) -> dict[str, Any]:
        """What the page's scripts get."""
        return {"stored": self.stored, "view": self.view, "default": self.default, "problem": self.problem}


def opening(viewer: Viewer, query: str) -> Opening:
    """What the project's page opens with, by its address from behind '?' on."""
    stored, problem = None, None
    id_ = _parsed(query).get(STORED)
    if id_:
        stored = open_address(viewer.project_id, id_, time.time())
        problem = NO_SUCH_ADDRESS if stored is None else None
    asked = _parsed((stored or query).removeprefix("?"))
    with reading() as connection:
        default = _default(connection, viewer)
        wanted = asked.get(VIEW) or asked.get(OWN_VIEW)
        view = _view(connection, viewer, wanted) if wanted else None
    if view is None and asked.get(VIEW) not in (None, "", "none"):
        problem = NO_SUCH_VIEW
    if not query:
        view = default
    if view is not None and (VIEW in asked or not query):
        asked = _overlay(_parsed(view["search"].removeprefix("?")), asked)
    return Opening(asked, stored, view, default["id"] if default else None, problem)


def read_columns(text: str) -> dict[str, Any]:
    """The layout of the table as an address has it, as readColumns of static/js/data/column_address.js gives it."""
    layout: dict[str, Any] = {"shown": {}, "order": [], "widths": {}, "pinned": [], "differing": False}
    for at, part in enumerate(text.split("/")):
        if at > 1:
            layout["differing"] = at == 2 and part == "differing"
            break
        for match in map(_COLUMN.fullmatch, part.split(",")):
            key = unquote(match[3]) if match else ""
            if not match or not key:
                continue
            if match[1]:
                layout["shown"][key] = match[1] == "*"
            if match[2]:
                layout["pinned"].append(key)
            if match[4]:
                layout["widths"][key] = int(match[4])
            if at == 0:
                layout["order"].append(key)
    return layout


def _parsed(query: str) -> MultiDict[str, str]:
    return MultiDict(parse_qs(query, keep_blank_values=True))


def _overlay(base: MultiDict[str, str], changes: MultiDict[str, str]) -> MultiDict[str, str]:
    """The parameters of a view with changes, as overlay of static/js/data/overlay.js gives them."""
    result = base.copy()
    for name in changes.get(WITHOUT, "").split(","):
        result.poplist(name)
    for name, values in changes.lists():
        if name not in (VIEW, STORED, WITHOUT):
            result.setlist(name, values)
    return result


def _default(connection: Connection, viewer: Viewer) -> dict[str, Any] | None:
    defaults = read_defaults(connection, viewer)
    found = (_view(connection, viewer, id_) for id_ in (defaults["mine"], defaults["project"]) if id_)
    return next(filter(None, found), None)


def _view(connection: Connection, viewer: Viewer, view_id: str) -> dict[str, Any] | None:
    view = find_view(connection, view_id)
    return as_json(view, viewer) if view is not None and viewer.sees(view) else None
