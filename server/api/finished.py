"""ETags of what is drawn of sessions that have ended: the browser asks again, and gets what has changed only."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
from flask import Response, request

from losswise import __version__


def finished_tag(sessions: Sequence[Any], *more: Any) -> str | None:
    """The ETag of the response: a hash of this release, the query and the versions. None while a session is active.

    Args:
        sessions: rows with id, version and status.
        more: what else the response depends on.
    """
    if any(session.status == "active" for session in sessions):
        return None
    query = request.query_string.decode("latin-1")
    state = [__version__, query, *more, *sorted((row.id, row.version) for row in sessions)]
    return hashlib.blake2b(msgspec.json.encode(state), digest_size=12).hexdigest()


def tagged(response: Response, tag: str | None) -> Response:
    """The response with its ETag; one without is not to be kept."""
    if tag is None:
        response.headers["Cache-Control"] = "no-store"
        return response
    response.set_etag(tag, weak=True)  # the compressed response has the same content
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Cookie")
    return response


def is_known(tag: str | None) -> bool:
    """Whether who asks has the response with this tag."""
    return tag is not None and request.if_none_match.contains_weak(tag)
