"""What every integration needs: arguments checked early, points taken back, and how a session ended before."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from losswise import settings
from losswise.arguments import check_params, check_texts, checked_graphs, checked_max_iter
from losswise.delivery.client import Wire
from losswise.lifecycle.outcome import Outcome
from losswise.protocol.limits import ENDED
from losswise.session import Session
from losswise.util.guard import guarded

ASKING = 2.0
"""Seconds for an answer of the server's."""


def session_options(
    tag: str | None, params: Mapping[str, Any] | None, max_iter: int | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Arguments of a session that is made later, checked now.

    Raises:
        TypeError, ValueError: `Session` would not take them.
    """
    check_texts(tag=tag)
    check_params(params, "params")
    checked_max_iter(max_iter)
    checked_graphs(options.get("graphs"))
    taken = inspect.signature(Session)
    try:
        taken.bind(tag=tag, params=params, max_iter=max_iter, **options)
    except TypeError as error:
        raise TypeError(f"{error}; losswise.Session takes {', '.join(taken.parameters)}") from None
    return {"tag": tag, "params": params, "max_iter": max_iter, **options}


@guarded("asking how the session ended")
def ending_at_server(options: Mapping[str, Any]) -> Outcome | None:
    """How the session that these options resume has ended; None: it has not, or the server does not say.

    This waits for the server, for a few seconds at most.
    """
    target = settings.resolve(options.get("base_url"), options.get("api_key"))
    if settings.mode() != "online" or target.api_key is None:
        return None
    wire = Wire(target.base_url, target.api_key)
    found = wire.get(f"/api/v2/sessions/{options['resume']}", ASKING).body
    wire.close()
    status = found.get("status")
    return Outcome(str(status), found.get("reason"), found.get("error")) if status in ENDED else None
