"""Count what a call of a v1 client loses: these clients do not look at the answer, and never send anything again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from losswise.protocol.refusals import plain_reason

from ..accounts.permissions import Access
from ..exceptions import ApiError
from ..ingest import pipeline
from ..ingest.schema import Batch

# of responses that mean that the call itself cannot be stored
LOSING = (400, 404, 413, 422)
MAX_SESSIONS = 20  # of one call, so that a call with many costs no more than it does otherwise


def count_refused(access: Access, session_id: str, what: str, reason: str, count: int = 1) -> None:
    """Count things that are not stored on their session, in a transaction of its own.

    Does nothing for a session that does not exist, or that may not be written.

    Args:
        what: their kind, such as "points".
        reason: the sentence of the response.
        count: how many they are.
    """
    refused = [{"what": what, "reason": plain_reason(reason), "total": count}]
    with contextlib.suppress(ApiError):
        pipeline.apply(Batch(session_id, refused=refused), access, protocol=1)


@contextlib.contextmanager
def counting_refused(access: Access, sessions: dict[str, int], what: str) -> Iterator[None]:
    """Count the things of each session as refused if the block raises an ApiError that means so.

    Args:
        sessions: how many things of each session the call holds, by the session's id.
    """
    try:
        yield
    except ApiError as error:
        if error.status in LOSING:
            for session_id, count in list(sessions.items())[:MAX_SESSIONS]:
                count_refused(access, session_id, what, error.message, count)
        raise
