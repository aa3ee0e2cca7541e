"""Encode and decode floats for JSON, which has no NaN and no infinities."""

from __future__ import annotations

import math

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode_number(value: float) -> float | str:
    """Return the JSON form of a float: itself if it is finite, else "NaN", "Infinity" or "-Infinity".

    Example:
        >>> encode_number(0.5), encode_number(float("nan"))
        (0.5, 'NaN')
    """
    if math.isfinite(value):
        return value
    if value != value:
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def decode_number(value: float | str) -> float:
    """Return the float that `encode_number` was given. Raises KeyError for any other string."""
    return NON_FINITE[value] if isinstance(value, str) else float(value)
