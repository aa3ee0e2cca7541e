"""What of a v1 request was not stored, and why.

A v1 client sends nothing twice and knows no other answer to a refusal than to give up. So what fits is stored, and the
rest is told in `error`, with `success` true.
"""

from __future__ import annotations

from typing import NamedTuple

from ..exceptions import MAX_MESSAGE_CHARS

MAX_TOLD = 3


class Refusal(NamedTuple):
    """Something that was not stored.

    Attributes:
        session: the id of its session, as the client sent it; None if it has none.
        what: a few words, such as "point 3 of 10".
        reason: why, in a few words.
    """

    session: str | None
    what: str
    reason: str


class Refusals(list[Refusal]):
    """The refusals of one request."""

    def note(self, session: str | None, what: str, reason: str) -> None:
        self.append(Refusal(session, what, reason[:MAX_MESSAGE_CHARS]))

    def message(self) -> str:
        """What `error` says; empty if everything was stored."""
        if not self:
            return ""
        told = "; ".join(f"{what}: {reason}" for _, what, reason in self[:MAX_TOLD])
        more = f"; and {len(self) - MAX_TOLD} more" if len(self) > MAX_TOLD else ""
        return f"not stored: {told}{more}"
