"""Buckets of neighbouring points of one quantity, as NumPy records.

A bucket of level k holds the points with x // 16 ** k == number: how many are finite, the least and the greatest of
these with their x (where several are equal, the first x), their sum, how many are NaN and infinite, and x and time of
the first point. `low` is Infinity and `high` -Infinity where no point is finite. Buckets are made, joined and made
coarser by the same reduction, so it does not matter in which order points come.
"""

from __future__ import annotations

import sys

import numpy as np

FACTOR = 16

BUCKET = np.dtype(
    [
        ("number", "<i8"),
        ("x", "<i8"),
        ("t", "<f8"),
        ("count", "<i8"),
        ("low", "<f8"),
        ("low_x", "<i8"),
        ("high", "<f8"),
        ("high_x", "<i8"),
        ("total", "<f8"),
        ("nan", "<i4"),
        ("inf", "<i4"),
    ]
)

EMPTY: np.ndarray = np.empty(0, dtype=BUCKET)
NOWHERE = np.iinfo(np.int64).max
LARGEST = sys.float_info.max  # a sum that overflows stays a number


def of_points(x: np.ndarray, t: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A bucket (of level 0) of each point, in the points' order. The values have no missing places."""
    made: np.ndarray = np.zeros(len(x), dtype=BUCKET)
    is_finite = np.isfinite(values)
    made["number"] = made["x"] = x
    made["t"] = t
    made["count"] = is_finite
    made["nan"] = np.isnan(values)
    made["inf"] = ~is_finite & (made["nan"] == 0)
    made["low"] = np.where(is_finite, values, np.inf)
    made["high"] = np.where(is_finite, values, -np.inf)
    made["low_x"] = made["high_x"] = np.where(is_finite, x, NOWHERE)
    made["total"] = np.where(is_finite, values, 0.0)
    return made


def at_level(made: np.ndarray, factor: int = FACTOR) -> np.ndarray:
    """The buckets that hold these, `factor` times as wide."""
    return join(made, made["number"] // factor)


def join(parts: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Parts that have the same number joined into one bucket; by number. Of parts with the same first x, the time is
    that of the part that comes first."""
    if not len(parts):
        return EMPTY
    if not ((numbers[1:] >= numbers[:-1]).all() and (parts["x"][1:] >= parts["x"][:-1]).all()):
        order = np.lexsort((parts["x"], numbers))
        parts, numbers = parts[order], numbers[order]
    starts = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
    joined = parts[starts]
    joined["number"] = numbers[starts]
    if len(starts) == len(parts):
        return joined
    for field in ("count", "nan", "inf"):
        joined[field] = np.add.reduceat(parts[field], starts)
    with np.errstate(over="ignore", invalid="ignore"):
        totals = np.add.reduceat(parts["total"], starts)
    joined["total"] = np.nan_to_num(totals, nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    segment: np.ndarray = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(parts)))
    for field, at, reduce in (("low", "low_x", np.minimum), ("high", "high_x", np.maximum)):
        extremes = reduce.reduceat(parts[field], starts)
        places = np.where(parts[field] == extremes[segment], parts[at], NOWHERE)
        joined[field], joined[at] = extremes, np.minimum.reduceat(places, starts)
    return joined
