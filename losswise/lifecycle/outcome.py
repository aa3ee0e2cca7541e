"""Outcome of a session: status, reason and error."""

from __future__ import annotations

from typing import Any

Ending = tuple[str, "str | None", Any]
"""Status, reason and error."""
COMPLETE: Ending = ("complete", None, None)


def ending_of(error: BaseException | None) -> tuple[str, str | None]:
    """Status and reason of what an error, or none, says about the end."""
    if error is None or isinstance(error, GeneratorExit):
        return "complete", None
    if isinstance(error, KeyboardInterrupt):
        return "cancelled", "interrupted"
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return "complete", None
    return "failed", "error"


def _told(error: BaseException) -> Ending:
    status, reason = ending_of(error)
    return status, reason, error if status == "failed" else None
