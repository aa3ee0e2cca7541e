"""Points that could not be kept: how many and why."""

from __future__ import annotations

import errno
from collections import Counter
from typing import NamedTuple

from losswise.protocol.limits import MAX_GRAPHS
from losswise.util.messages import notify
from losswise.util.units import size_text


class Cause(NamedTuple):
    """Why points are dropped."""

    reason: str  # completes the sentence "3 points were dropped since ..." at the end of the session
    warning: str = ""  # the line that is printed when dropping begins; "" if another line has said it


_MOST_GRAPHS = f"a session has at most {MAX_GRAPHS:,} graphs"
TOO_MANY_GRAPHS = Cause(_MOST_GRAPHS, f"{_MOST_GRAPHS}: points of further ones are dropped")
TOO_MANY_NAMES = Cause("their graph has too many names")


def bound_reached(bound: float) -> Cause:
    """The journal has reached its largest size, `bound` in bytes."""
    size = size_text(bound)
    return Cause(
        f"the journal had reached {size}",
        f"the journal has reached {size} (LW_JOURNAL_MAX): from here on points, texts and images are dropped, until "
        "some of it is sent",
    )


def not_written(path: object, error: OSError) -> Cause:
    """The journal cannot be written, for example because the disk is full."""
    problem = error.strerror or str(error)
    remedy = "LW_JOURNAL_DIR names another folder for the next run"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        remedy = f"free some space ({remedy})"
    return Cause(
        f"the journal could not be written ({problem})",
        f"the journal {path} cannot be written ({problem}): from here on points are dropped, until it can; {remedy}",
    )


class DroppedPoints:
    """Counts the points that one journal writer dropped: one line when dropping begins, one with the sum at the end."""

    def __init__(self) -> None:
        self._by_reason: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self._by_reason.total()

    def add(self, cause: Cause, points: int) -> None:
        """Count points, and print the warning the first time. 0 points: only other records are dropped so far."""
        if cause.reason not in self._by_reason and cause.warning:
            notify(cause.warning)
        self._by_reason[cause.reason] += points

    def report(self) -> None:
        """Print how many points were dropped."""
        for reason, count in self._by_reason.items():
            if count:
                notify(f"{count:,} {'points were' if count > 1 else 'point was'} dropped since {reason}")
