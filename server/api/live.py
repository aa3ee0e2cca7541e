"""GET /live: server-sent events of a project and of the sessions that the page shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, current_app, request

from ..extensions import db
from ..hub import Subscriber, hub
from ..refused import Refused
from .asking import asked_projects, require_access

bp = Blueprint("live", __name__)


@bp.get("/live")
def live() -> Any:
    projects = asked_projects(require_access())
    if len(projects) != 1:
        raise Refused(400, "bad_request", "name one project as project_id=")
    # a stream lives for hours: it must not keep the connection that looked up who asks
    db.session.remove()
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    subscriber = hub.subscribe(app, projects[0], frozenset(request.args.getlist("session")))
    if subscriber is None:
        raise Refused(503, "full", "as many pages as this server holds are listening; ask every 2 s instead")
    return Response(
        _Stream(subscriber),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


class _Stream:
    """The events, and the end of the subscription however the connection ends."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._events = subscriber.stream()

    def __iter__(self) -> Iterator[bytes]:
        return (text.encode() for text in self._events)

    def close(self) -> None:
        hub.unsubscribe(self._subscriber)
        self._subscriber.close()
