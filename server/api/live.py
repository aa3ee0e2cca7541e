"""GET /live: the stream of server-sent events of some projects, with the points of the sessions that a page shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from flask import Blueprint, Response, current_app, request

from ..accounts.projects import readable_projects
from ..exceptions import ApiError
from ..extensions import db
from ..live.hub import hub
from ..live.subscribers import Subscriber, event
from ..static_files import current_version
from .requests import require_access, selected_projects

bp = Blueprint("live", __name__)


@bp.get("/live")
def live() -> Any:
    projects = _selected_projects()
    # a stream lives for hours: it must not keep the connection that authenticated it
    db.session.remove()
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    subscriber = hub.subscribe(app, projects, _selected_sessions(), request.environ.get("gunicorn.socket"))
    if subscriber is None:
        raise ApiError(503, "full", "this server has no room for another stream; poll every 2 s instead")
    return Response(
        _Stream(subscriber, current_version()),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _selected_projects() -> frozenset[int]:
    """The readable ones among the projects that the query names. Raises ApiError if it names none."""
    access = require_access()
    if len(request.args.getlist("project_id")) < 2:
        projects = selected_projects(access)
        if len(projects) != 1:
            raise ApiError(400, "bad_request", "name one or several projects as project_id=")
        return frozenset(projects)
    wanted = set(request.args.getlist("project_id"))
    found = frozenset(project.id for project in readable_projects(access) if str(project.id) in wanted)
    if not found:
        raise ApiError(404, "unknown_project", "there is no such project")
    return found


def _selected_sessions() -> frozenset[str] | None:
    """The sessions whose points to send: `session=A,B&session=C`. None for `*`, all of the projects."""
    named = {name for part in request.args.getlist("session") for name in part.split(",")}
    return None if "*" in named else frozenset(named)


class _Stream:
    """A response body that unsubscribes however the connection ends."""

    def __init__(self, subscriber: Subscriber, static_version: str) -> None:
        self._subscriber = subscriber
        version = event("version", {"static": static_version})
        self._events = chain([version], subscriber.stream())

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        hub.unsubscribe(self._subscriber)
        self._subscriber.close()
