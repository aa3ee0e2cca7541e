"""GET /live: server-sent events of projects and of the sessions that the page shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from flask import Blueprint, Response, current_app, request

from ..accounts.projects import readable_projects
from ..exceptions import Refused
from ..extensions import db
from ..live.hub import hub
from ..live.subscribers import Subscriber, event
from .requests import asked_projects, require_access

bp = Blueprint("live", __name__)


@bp.get("/live")
def live() -> Any:
    projects = _asked_projects()
    # a stream lives for hours: it must not keep the connection that looked up who asks
    db.session.remove()
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    subscriber = hub.subscribe(app, projects, _asked_sessions(), request.environ.get("gunicorn.socket"))
    if subscriber is None:
        raise Refused(503, "full", "as many pages as this server holds are listening; ask every 2 s instead")
    return Response(
        _Stream(subscriber, app.config["STATIC_VERSION"]),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _asked_projects() -> frozenset[int]:
    """The projects named that may be read; those that may not are left out, unless nothing else is asked for."""
    access = require_access()
    if len(request.args.getlist("project_id")) < 2:
        projects = asked_projects(access)
        if len(projects) != 1:
            raise Refused(400, "bad_request", "name a project as project_id=, or several")
        return frozenset(projects)
    wanted = set(request.args.getlist("project_id"))
    found = frozenset(project.id for project in readable_projects(access) if str(project.id) in wanted)
    if not found:
        raise Refused(404, "unknown_project", "there is no such project")
    return found


def _asked_sessions() -> frozenset[str] | None:
    """Whose points are asked for: ids, with commas or one a parameter; None for `*`, all of the projects."""
    named = {name for part in request.args.getlist("session") for name in part.split(",")}
    return None if "*" in named else frozenset(named)


class _Stream:
    """The events, and the end of the subscription however the connection ends."""

    def __init__(self, subscriber: Subscriber, static_version: str) -> None:
        self._subscriber = subscriber
        version = event("version", {"static": static_version})
        self._events = chain([version], subscriber.stream())

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        hub.unsubscribe(self._subscriber)
        self._subscriber.close()
