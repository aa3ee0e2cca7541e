"""Statistics of each name of each graph, kept up to date as points come in.

A statistic is {"min", "min_x", "max", "max_x", "last", "last_x", "count", "nan", "nan_x"}: min and max over the finite
values (None if there is none), last the value at the greatest x (of several there the last to arrive), count the number
of values, nan how many of them are NaN or infinite, and nan_x the x of the first of those to arrive.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from losswise.protocol.records import encode_number

from .columns import has_value

Stat = dict[str, Any]
FIELDS = ("min", "min_x", "max", "max_x", "last", "last_x", "count", "nan", "nan_x")
PUBLIC_FIELDS = ("min", "max", "last", "count")
LOOP_MAX_VALUES = 64  # up to so many values a loop is faster than NumPy


def add_column(stat: Stat | None, x: np.ndarray, column: np.ndarray) -> Stat:
    """Add a column's values, in order of arrival, to a statistic; None starts a new one. Changes and returns it."""
    there = has_value(column)
    if not there.all():
        x, column = x[there], column[there]
    if stat is None:
        stat = dict.fromkeys(FIELDS)
        stat["count"] = stat["nan"] = 0
    if len(column):
        (_add_few if len(column) <= LOOP_MAX_VALUES else _add_many)(stat, x, column)
    return stat


def _add_few(stat: Stat, x: np.ndarray, column: np.ndarray) -> None:
    low, low_x, high, high_x = stat["min"], stat["min_x"], stat["max"], stat["max_x"]
    last, last_x = stat["last"], stat["last_x"]
    for at, value in zip(x.tolist(), column.tolist(), strict=True):
        if last_x is None or at >= last_x:
            last, last_x = value, at
        if not math.isfinite(value):
            stat["nan"] += 1
            if stat["nan_x"] is None:
                stat["nan_x"] = at
            continue
        if low is None or value < low:
            low, low_x = value, at
        if high is None or value > high:
            high, high_x = value, at
    stat["min"], stat["min_x"], stat["max"], stat["max_x"] = low, low_x, high, high_x
    stat["last"], stat["last_x"] = _as_json(last), last_x
    stat["count"] += len(column)


def _add_many(stat: Stat, x: np.ndarray, column: np.ndarray) -> None:
    stat["count"] += len(column)
    last = len(x) - 1 - int(x[::-1].argmax())
    if stat["last_x"] is None or x[last] >= stat["last_x"]:
        stat["last"], stat["last_x"] = _as_json(float(column[last])), int(x[last])
    is_finite = np.isfinite(column)
    if not is_finite.all():
        indices = np.flatnonzero(~is_finite)
        stat["nan"] += len(indices)
        if stat["nan_x"] is None:
            stat["nan_x"] = int(x[indices[0]])
        x, column = x[is_finite], column[is_finite]
    if not len(column):
        return
    low, high = int(column.argmin()), int(column.argmax())
    if stat["min"] is None or column[low] < stat["min"]:
        stat["min"], stat["min_x"] = float(column[low]), int(x[low])
    if stat["max"] is None or column[high] > stat["max"]:
        stat["max"], stat["max_x"] = float(column[high]), int(x[high])


def _as_json(value: Any) -> Any:
    return encode_number(value) if value.__class__ is float else value


def as_list(stat: Stat) -> list[Any]:
    """The statistic as a list, in the order of FIELDS; without "nan" and "nan_x" if all values are finite."""
    values = [stat[field] for field in FIELDS]
    return values if stat["nan"] else values[:-2]


def by_name(graph_stats: Mapping[str, Mapping[str, Stat]], titles: Mapping[str, str]) -> dict[str, Stat]:
    """A session's statistics by name, {"min", "max", "last", "count"} each.

    A name that two graphs have becomes `title/name`, and so does a name that equals such a `title/name`.
    """
    graphs_of = Counter(name for stats in graph_stats.values() for name in stats)
    shared = {name for name, graphs in graphs_of.items() if graphs > 1}
    made = {
        f"{titles.get(number, '')}/{name}" for number, stats in graph_stats.items() for name in stats if name in shared
    }
    ambiguous = shared | made
    found: dict[str, Stat] = {}
    for number, stats in graph_stats.items():
        for name, stat in stats.items():
            shown = f"{titles.get(number, '')}/{name}" if name in ambiguous else name
            found[shown] = {field: stat[field] for field in PUBLIC_FIELDS}
    return found


def greatest_x(graph_stats: Mapping[str, Mapping[str, Stat]]) -> int | None:
    """The greatest x of a session's points; None if it has none."""
    return max(
        (stat["last_x"] for stats in graph_stats.values() for stat in stats.values() if stat["count"]),
        default=None,
    )
