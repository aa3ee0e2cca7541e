"""Points that could not be kept: how many, why, and what the person is told of it."""

from __future__ import annotations

import errno
import time
from collections import Counter
from dataclasses import dataclass

from losswise.util.messages import say
from losswise.util.units import bound_text

AGAIN = 600.0
"""Seconds until the same is told once more, where it comes and goes."""
LASTS = 0.25
"""Seconds for which points are kept before that is told: the last and short lines of a session find room anyway."""

_FULL = (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC)


@dataclass(frozen=True)
class Cause:
    """Why points are dropped, in words: why they were, that they are from here on, that they are not any more."""

    was: str
    begins: str
    ends: str


def bound_reached(bound: float) -> Cause:
    """The journal has so many bytes, and may have no more."""
    size = bound_text(bound)
    return Cause(
        f"the journal had reached {size}",
        f"the journal has reached {size} (LW_JOURNAL_MAX): from here on points and texts are dropped, until some of "
        "it is sent",
        "the journal has room again: from here on points and texts are kept",
    )


def not_written(path: object, error: OSError) -> Cause:
    """The disk does not take the journal, since it is full, say."""
    problem = error.strerror or str(error)
    return Cause(
        f"the journal could not be written ({problem})",
        f"the journal {path} cannot be written ({problem}): from here on points are dropped, until it can; "
        f"{_remedy(error)}",
        "the journal can be written again: from here on points are kept",
    )


def _remedy(error: OSError) -> str:
    elsewhere = "LW_JOURNAL_DIR names another folder for the next run"
    return f"free some space ({elsewhere})" if error.errno in _FULL else elsewhere


class Losses:
    """Points of one writer that were not kept.

    Example:
        >>> losses = Losses()
        >>> losses.add(bound_reached(1024), 3)
        >>> losses.total
        3
    """

    def __init__(self) -> None:
        self.by_cause: Counter[str] = Counter()
        self._lasting: Cause | None = None
        self._kept_since: float | None = None
        self._told_at: dict[tuple[str, bool], float] = {}

    @property
    def total(self) -> int:
        return self.by_cause.total()

    def add(self, cause: Cause | None = None, points: int = 0) -> None:
        """So many points are dropped, and what comes may be, too. No cause: the one that lasts."""
        cause = cause or self._lasting
        assert cause is not None
        self._lasting, self._kept_since = cause, None
        if points:
            self.by_cause[cause.was] += points
        self._tell(cause, begins=True)

    def count(self, was: str, points: int) -> None:
        """So many points are dropped, and others are not."""
        self.by_cause[was] += points

    def over(self) -> None:
        """Points are kept."""
        if self._lasting is None:
            return
        now = time.monotonic()
        self._kept_since = self._kept_since or now
        if now - self._kept_since >= LASTS:
            self._tell(self._lasting, begins=False)
            self._lasting = self._kept_since = None

    def tell(self) -> None:
        """At the end: how many points were dropped."""
        for cause, count in self.by_cause.items():
            say(f"{count:,} {'points were' if count > 1 else 'point was'} dropped since {cause}")

    def _tell(self, cause: Cause, begins: bool) -> None:
        now = time.monotonic()
        if now - self._told_at.get((cause.was, begins), -AGAIN) >= AGAIN:
            self._told_at[cause.was, begins] = now
            say(cause.begins if begins else cause.ends)
