"""Encode floats for JSON, which has no NaN and no infinities."""

from __future__ import annotations

import math


def encode_number(value: float) -> float | str:
    """Return the JSON form of a float: itself if it is finite, else "NaN", "Infinity" or "-Infinity".

    Python's `float` decodes all of them.

    Example:
        >>> encode_number(0.5), encode_number(float("nan"))
        (0.5, 'NaN')
    """
    if math.isfinite(value):
        return value
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
