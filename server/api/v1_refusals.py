"""What of a v1 request was not stored, and why: told in the response, and counted on the session.

A v1 client sends nothing twice and knows no other answer to a refusal than to give up. So what fits is stored, and the
rest is told in `error`, with `success` true. Since these clients do not read it, the session counts it as well.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from losswise.protocol.refusals import plain_reason

from ..accounts.permissions import Access
from ..exceptions import MAX_MESSAGE_CHARS, ApiError
from ..ingest import pipeline
from ..ingest.schema import Batch

MAX_TOLD = 3
# of responses that mean that the call itself cannot be stored
LOSING = (400, 404, 413, 422)
MAX_SESSIONS = 20  # of one call, so that a call with many costs no more than it does otherwise


class Refusal(NamedTuple):
    """Something that was not stored.

    Attributes:
        session: the id of its session, as the client sent it; None if it has none.
        what: a few words, such as "point 3 of 10".
        reason: why, in a few words.
        kind: under what it is counted, such as "points".
        total: how many they are.
    """

    session: str | None
    what: str
    reason: str
    kind: str
    total: int


class Refusals(list[Refusal]):
    """The refusals of one request."""

    def note(self, session: str | None, what: str, reason: str, kind: str = "points", total: int = 1) -> None:
        self.append(Refusal(session, what, reason[:MAX_MESSAGE_CHARS], kind, total))

    def message(self) -> str:
        """What `error` says; empty if everything was stored."""
        if not self:
            return ""
        told = "; ".join(f"{refusal.what}: {refusal.reason}" for refusal in self[:MAX_TOLD])
        more = f"; and {len(self) - MAX_TOLD} more" if len(self) > MAX_TOLD else ""
        return f"not stored: {told}{more}"

    def store(self, access: Access) -> None:
        """Count the refusals on their sessions, as far as these exist and may be written."""
        totals: dict[str, Counter[tuple[str, str]]] = {}
        for refusal in self:
            if refusal.session is not None:
                totals.setdefault(refusal.session, Counter())[refusal.kind, refusal.reason] += refusal.total
        for session_id, total_of in list(totals.items())[:MAX_SESSIONS]:
            refused = [
                {"what": kind, "reason": plain_reason(reason), "total": total}
                for (kind, reason), total in total_of.items()
            ]
            with contextlib.suppress(ApiError):
                pipeline.apply(Batch(session_id, refused=refused), access, protocol=1)


@contextlib.contextmanager
def counting_refused(access: Access, session_id: str, kind: str) -> Iterator[None]:
    """Count one thing of this kind as refused if the block raises an ApiError that means so."""
    try:
        yield
    except ApiError as error:
        if error.status in LOSING:
            refusals = Refusals()
            refusals.note(session_id, kind, error.message, kind)
            refusals.store(access)
        raise
