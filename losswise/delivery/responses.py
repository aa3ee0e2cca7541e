"""What each response of the server asks the client to do."""

from __future__ import annotations

from enum import Enum, auto

from losswise.delivery.client import Response


class Action(Enum):
    """What to do after a response to a batch."""

    ACKNOWLEDGE = auto()
    """Forget the records up to the number in the response."""
    QUARANTINE = auto()
    """Set aside the records that the server names, and send the others."""
    QUARANTINE_DAMAGED = auto()
    """Set aside the records that are not JSON, and send the others."""
    SPLIT = auto()
    """Send smaller batches."""
    RESEND_PREAMBLE = auto()
    """Send the session and graph records again, then the batch."""
    STOP = auto()
    """The session was deleted: send nothing more."""
    WAIT_FOR_KEY = auto()
    """Retry slowly: the user has to fix the API key."""
    WAIT_FOR_UPGRADE = auto()
    """Retry slowly: the user has to upgrade the server."""
    RETRY = auto()
    """Send the batch again later."""


# status and code; None matches any. The first match counts.
_ACTIONS: tuple[tuple[int | None, str | None, Action], ...] = (
    (400, "bad_batch", Action.QUARANTINE),
    (422, "bad_batch", Action.QUARANTINE),
    (400, "bad_json", Action.QUARANTINE_DAMAGED),
    (413, None, Action.SPLIT),
    (404, "unknown_session", Action.RESEND_PREAMBLE),
    (410, "deleted_session", Action.STOP),
    (401, None, Action.WAIT_FOR_KEY),
    (403, None, Action.WAIT_FOR_KEY),
    (None, "unsupported_format", Action.WAIT_FOR_UPGRADE),
    (None, None, Action.RETRY),
)


def action_for(response: Response) -> Action:
    """Look up what to do after a response to a batch."""
    if response.status == 200 and isinstance(response.body.get("last"), int):
        return Action.ACKNOWLEDGE
    return next(
        action
        for status, code, action in _ACTIONS
        if status in (None, response.status) and code in (None, response.code)
    )


def rejected_indexes(response: Response, count: int) -> list[int]:
    """Indexes of the records in a batch of `count` that a `bad_batch` response names; none by an old server."""
    named = response.body.get("records")
    if not isinstance(named, list):
        return []
    return sorted({index for index in named if type(index) is int and 0 <= index < count})


def rejection_reasons(response: Response, indexes: list[int]) -> list[str]:
    """Why each of these records was rejected: a sentence each if the server sends them, else one for all."""
    errors, named = response.body.get("errors"), response.body.get("records")
    if isinstance(errors, list) and isinstance(named, list) and len(errors) == len(named):
        by_index = {index: str(error) for index, error in zip(named, errors, strict=True) if type(index) is int}
        return [by_index.get(index, response.reason) for index in indexes]
    return [response.reason] * len(indexes)
