"""Buckets of neighbouring points of one metric, as NumPy records.

A bucket of level k summarizes the points with x // 16**k == number: how many are finite, their minimum and maximum,
each with its x (the first where several are equal), their sum, how many are NaN and infinite, and x and time of the
first point. Without a finite point `low` is Infinity and `high` -Infinity. Buckets are made, joined and coarsened by
the same reduction, so the order in which points come does not matter.
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
NO_X = np.iinfo(np.int64).max  # greater than the x of any extreme
MAX_FLOAT = sys.float_info.max  # what a sum that overflows becomes


def of_points(x: np.ndarray, t: np.ndarray, values: np.ndarray) -> np.ndarray:
    """One bucket of level 0 per point, in the points' order. No value may be missing."""
    made: np.ndarray = np.zeros(len(x), dtype=BUCKET)
    is_finite = np.isfinite(values)
    made["number"] = made["x"] = x
    made["t"] = t
    made["count"] = is_finite
    made["nan"] = np.isnan(values)
    made["inf"] = ~is_finite & (made["nan"] == 0)
    made["low"] = np.where(is_finite, values, np.inf)
    made["high"] = np.where(is_finite, values, -np.inf)
    made["low_x"] = made["high_x"] = np.where(is_finite, x, NO_X)
    made["total"] = np.where(is_finite, values, 0.0)
    return made


def coarsen(made: np.ndarray, factor: int = FACTOR) -> np.ndarray:
    """Join buckets into ones that are `factor` times as wide."""
    return join(made, made["number"] // factor)


def join(parts: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Join buckets that get the same number.

    Args:
        parts: buckets of any levels.
        numbers: the number of the joined bucket that each belongs to.

    Returns:
        The joined buckets by number. Of parts with the same first x, the first part gives the time.
    """
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
    joined["total"] = np.nan_to_num(totals, nan=0.0, posinf=MAX_FLOAT, neginf=-MAX_FLOAT)
    segment: np.ndarray = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(parts)))
    for field, at, reduce in (("low", "low_x", np.minimum), ("high", "high_x", np.maximum)):
        extremes = reduce.reduceat(parts[field], starts)
        xs = np.where(parts[field] == extremes[segment], parts[at], NO_X)
        joined[field], joined[at] = extremes, np.minimum.reduceat(xs, starts)
    return joined
