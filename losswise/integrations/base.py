"""Shared by all integrations: checked arguments of a session to be created later, and what is known of an earlier run.

For the methods of Session that integrations call, see docs/developing/add-an-integration.md.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Optional, TypedDict

from losswise import settings
from losswise.arguments import check_params, check_texts, checked_graphs, checked_max_iter
from losswise.delivery.client import Client
from losswise.lifecycle.outcome import Outcome
from losswise.protocol.limits import ENDED
from losswise.session import Session
from losswise.util.guard import guarded
from losswise.values.containers import to_dict

if TYPE_CHECKING:
    from typing_extensions import Unpack
else:  # Python 3.10 lacks it, and only tools that evaluate annotations look at it at run time
    Unpack = getattr(typing, "Unpack", Optional)

ANSWER_TIMEOUT_S = 2.0
MAX_ENDINGS = 1_000


class SessionOptions(TypedDict, total=False):
    """Arguments of `losswise.Session` that every integration passes on."""

    info: Mapping[str, str] | None
    project: str | None
    group: str | None
    tags: Iterable[str] | None
    api_key: str | None
    base_url: str | None
    graphs: Mapping[str, tuple[str, str | None]] | None
    command_line: bool
    console: bool
    system: bool
    from_x: int | None
    data: Mapping[str, Any] | None


class CallbackOptions(SessionOptions, total=False):
    """Those of `LosswiseKerasCallback`, which has arguments of its own for the others."""

    resume: str | None


class LoggerOptions(SessionOptions, total=False):
    """Those of `LosswiseLogger`, which has arguments of its own for the others."""

    track_git: bool


def session_options(
    tag: str | None, params: Mapping[str, Any] | None, max_iter: int | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Check the arguments of a session that is created later, when an error could only be a warning.

    Args:
        tag, params, max_iter: as `Session` takes them.
        options: its other arguments by name.

    Returns:
        All of them by name.

    Raises:
        TypeError, ValueError: `Session` would raise it.
    """
    check_texts(tag=tag)
    check_params(params=params)
    checked_max_iter(max_iter)
    checked_graphs(options.get("graphs"))
    signature = inspect.signature(Session)
    try:
        signature.bind(tag=tag, params=params, max_iter=max_iter, **options)
    except TypeError as error:
        raise TypeError(f"{error}; losswise.Session takes {', '.join(signature.parameters)}") from None
    return {"tag": tag, "params": params, "max_iter": max_iter, **options}


@guarded("asking the server about a session", default={})
def session_at_server(options: Mapping[str, Any], session: str) -> Mapping[str, Any]:
    """Ask the server for a session. Waits for the answer, a few seconds at most.

    Args:
        options: as `session_options` returns them.
        session: its id.

    Returns:
        The session as the read API gives it; empty if the server does not answer or does not know it.
    """
    target = settings.resolve(options.get("base_url"), options.get("api_key"))
    if settings.mode() != "online" or target.api_key is None:
        return {}
    client = Client(target.base_url, target.api_key)
    found = client.get(f"/api/v2/sessions/{session}", ANSWER_TIMEOUT_S).body
    client.close()
    return found


def outcome_at_server(options: Mapping[str, Any]) -> Outcome | None:
    """Ask the server how the session to be resumed has ended. Waits for the answer, a few seconds at most.

    Args:
        options: as `session_options` returns them, with `resume`.

    Returns:
        None if it has not ended, or if the server does not answer.
    """
    found = session_at_server(options, options["resume"])
    status = found.get("status")
    return Outcome(str(status), found.get("reason"), found.get("error")) if status in ENDED else None


# trainings that start from the checkpoint of a session that is over

# Sessions whose trainings have ended in this process, the newest last: how many steps were done if they are complete
_endings: dict[str, int | None] = {}


def note_ending(session: str, outcome: Outcome, steps: int | None) -> None:
    """Remember how a training ended, for `has_gone_beyond`.

    Args:
        session: id of its session.
        steps: how many steps are done; None if that is unknown.
    """
    _endings.pop(session, None)
    _endings[session] = steps if outcome.status == "complete" else None
    if len(_endings) > MAX_ENDINGS:
        del _endings[next(iter(_endings))]


def has_gone_beyond(options: Mapping[str, Any], session: str, x: int) -> bool:
    """Return whether a session is complete, and was trained further than a checkpoint at step `x`.

    Then it is not taken back: a training from that checkpoint gets a session of its own, see `branch_options`. What
    has not ended in this process is asked of the server, which takes a few seconds at most.
    """
    if session in _endings:
        steps = _endings[session]
    else:
        found = session_at_server(options, session)
        steps = found.get("steps") if found.get("status") == "complete" else None
    return isinstance(steps, int) and steps > x


def branch_options(options: Mapping[str, Any], session: str, x: int) -> dict[str, Any]:
    """Return the options of a new session that says where it branches off.

    Args:
        options: as `session_options` returns them.
        session: id of the session that it leaves.
        x: the step that comes next.
    """
    url = settings.resolve(options.get("base_url"), options.get("api_key")).base_url
    note = (
        f"This training continues [session {session[:4]}]({url}/s/{session}) from step {x}, in a session of its own: "
    )
    note += "that one had gone on from there and was complete."
    return {
        **options,
        "resume": None,
        "from_x": None,
        "params": {**to_dict(options.get("params")), "branched_from": {"session": session, "step": x}},
        "info": {**to_dict(options.get("info")), "branch": note},
    }
