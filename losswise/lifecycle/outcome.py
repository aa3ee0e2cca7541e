"""How a session ended: complete, failed or cancelled, and why."""

from __future__ import annotations

from typing import Any, NamedTuple

from losswise.lifecycle import termination


class Outcome(NamedTuple):
    """How a session ended.

    Attributes:
        status: 'complete', 'failed' or 'cancelled'.
        reason: a word such as 'error' or 'interrupted', or None.
        error: the exception, or a mapping with type, message and traceback, or None.
    """

    status: str
    reason: str | None = None
    error: Any = None


COMPLETE = Outcome("complete")
INTERRUPTED = Outcome("cancelled", "interrupted")


def outcome_of(error: BaseException | None) -> Outcome:
    """Return the outcome of code that ended with this exception; None means that it ended without one."""
    if termination.is_stopping():
        return INTERRUPTED._replace(error=error if isinstance(error, Exception) else None)
    if error is None or isinstance(error, GeneratorExit):
        return COMPLETE
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return COMPLETE
    return Outcome("failed", "error", error)
