"""Progress and estimated completion of a session."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

PACE_SECONDS = 300.0
PACE_STEP = 10.0


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
