"""Statistics of each name of each graph, kept up as points come in, and progress worked out from them.

A statistic is {"min", "min_x", "max", "max_x", "last", "last_x", "count", "nan", "nan_x"}: min and max over the
finite values (None where there is none yet), last the value at the greatest x and of several there the latest
to arrive, count every value, nan how many are NaN or infinite and nan_x the x of the first of those to arrive.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from losswise.records import encode_number

from .columns import has_value

Stat = dict[str, Any]
FIELDS = ("min", "min_x", "max", "max_x", "last", "last_x", "count", "nan", "nan_x")
PUBLIC = ("min", "max", "last", "count")

PACE_SECONDS = 300.0
PACE_STEP = 10.0


SMALL = 64
"""Up to so many values a loop is faster than NumPy."""


def add_column(stat: Stat | None, x: np.ndarray, column: np.ndarray) -> Stat:
    """The statistic with a column's values added, in their order of arrival."""
    there = has_value(column)
    if not there.all():
        x, column = x[there], column[there]
    if stat is None:
        stat = dict.fromkeys(FIELDS)
        stat["count"] = stat["nan"] = 0
    if len(column):
        (_add_few if len(column) <= SMALL else _add_many)(stat, x, column)
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
        places = np.flatnonzero(~is_finite)
        stat["nan"] += len(places)
        if stat["nan_x"] is None:
            stat["nan_x"] = int(x[places[0]])
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


def by_name(graph_stats: Mapping[str, Mapping[str, Stat]], titles: Mapping[str, str]) -> dict[str, Stat]:
    """A session's statistics by name, {"min", "max", "last", "count"} each.

    A name that stands in two graphs is `title/name`; so is one that another's `title/name` would hide.
    """
    graphs_of = Counter(name for stats in graph_stats.values() for name in stats)
    shared = {name for name, graphs in graphs_of.items() if graphs > 1}
    made = {
        f"{titles.get(number, '')}/{name}" for number, stats in graph_stats.items() for name in stats if name in shared
    }
    return {
        f"{titles.get(number, '')}/{name}" if name in shared | made else name: {field: stat[field] for field in PUBLIC}
        for number, stats in graph_stats.items()
        for name, stat in stats.items()
    }


def greatest_x(graph_stats: Mapping[str, Mapping[str, Stat]]) -> int | None:
    return max(
        (stat["last_x"] for stats in graph_stats.values() for stat in stats.values() if stat["count"]),
        default=None,
    )


def places(t: np.ndarray, x: np.ndarray) -> list[tuple[float, int]]:
    """Some (time, x) of many points, the last among them."""
    step = max(1, len(x) // 64)
    return list(zip(t[::-step].tolist(), x[::-step].tolist(), strict=True))


def add_pace(pace: list[list[float]], places: Iterable[tuple[float, int]]) -> list[list[float]]:
    """The pace with more places (time, x): the last five minutes of it, a place about every ten seconds.

    Graphs are logged at different rates and several writers have clocks of their own, so a place that is neither
    later nor farther than the last says nothing and is left out.
    """
    for t, x in sorted(places):
        if pace and (t <= pace[-1][0] or x <= pace[-1][1]):
            continue
        # the last place moves on until it is ten seconds after the one before
        if len(pace) >= 2 and pace[-1][0] - pace[-2][0] < PACE_STEP:
            pace = pace[:-1]
        pace = [*pace, [t, x]]
    while len(pace) > 2 and pace[1][0] <= pace[-1][0] - PACE_SECONDS:
        pace = pace[1:]
    return pace


def estimate(pace: list[list[float]], max_iter: int | None, now: float) -> float | None:
    """When a session will be done, in unix seconds, at the pace of the last five minutes; None if unknown."""
    if max_iter is None or len(pace) < 2:
        return None
    (t0, x0), (t1, x1) = pace[0], pace[-1]
    if t1 <= t0 or x1 <= x0:
        return None
    seconds_an_iteration = (t1 - t0) / (x1 - x0)
    return now + max(0.0, max_iter - 1 - x1) * seconds_an_iteration


def progress(status: str, last_x: int | None, max_iter: int | None) -> float | None:
    """The fraction done, 0 to 1: 1 when complete, None without max_iter."""
    if status == "complete":
        return 1.0
    if not max_iter:
        return None
    return 0.0 if last_x is None else max(0.0, min(1.0, (last_x + 1) / max_iter))
