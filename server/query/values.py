"""The values of a query's terms: numbers, percentages, durations, times."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone

SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(min|[smhdw])", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ](\d\d?):(\d\d)(?::(\d\d))?)?", re.ASCII)


def number(text: str) -> float | None:
    """The number that a text is.

    >>> number("1e-3"), number("-.5"), number("inf"), number("1_000")
    (0.001, -0.5, inf, None)
    """
    word = text.lower().removeprefix("+")
    if word in ("inf", "-inf", "infinity", "-infinity"):
        return float(word)
    return float(text) if _NUMBER.fullmatch(text) else None


def share(text: str) -> float | None:
    """A part of a whole: `0.5` or `50%`."""
    percent = number(text.removesuffix("%")) if text.endswith("%") else None
    return percent / 100 if percent is not None else number(text)


def duration(text: str) -> float | None:
    """Seconds; a number without a unit is one of seconds.

    >>> duration("90"), duration("1h30m"), duration("2d"), duration("soon")
    (90.0, 5400.0, 172800.0, None)
    """
    parts = _DURATION.findall(text)
    if parts and "".join(count + unit for count, unit in parts) == text:
        return math.fsum(float(count) * SECONDS[unit] for count, unit in parts)
    return number(text)


def moment(text: str, now: float, offset: float = 0.0) -> float | None:
    """A time in unix seconds: `2026-11-30`, `2026-11-30T09:00`, or so long ago, as in `2d`.

    Args:
        offset: seconds that the person's clock is ahead of UTC.
    """
    if match := _DATE.fullmatch(text):
        try:
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
            date = datetime(year, month, day, hour, minute, second, tzinfo=timezone(timedelta(seconds=offset)))
        except (ValueError, OverflowError):
            return None
        return date.timestamp()
    ago = duration(text) if _DURATION.match(text) else None
    return None if ago is None else now - ago
