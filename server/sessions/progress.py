"""Progress and estimated completion of a session.

The estimate extrapolates the pace of the last five minutes: a session's row keeps a few samples [time, x] of them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from losswise.protocol.limits import LATEST_TIME_S

PACE_WINDOW_S = 300.0
SAMPLE_INTERVAL_S = 10.0
MAX_RECORD_SAMPLES = 64


def progress_samples(t: np.ndarray, x: np.ndarray) -> list[tuple[float, int]]:
    """A few evenly spaced (time, x) of a record's points, the last one among them."""
    step = max(1, len(x) // MAX_RECORD_SAMPLES)
    return list(zip(t[::-step].tolist(), x[::-step].tolist(), strict=True))


def add_pace(pace: list[list[float]], samples: Iterable[tuple[float, int]]) -> list[list[float]]:
    """The pace with further samples (time, x), reduced to the last five minutes and one sample in ten seconds.

    Graphs are logged at different rates, and the clocks of several writers differ: a sample that is not both later and
    further than the last one is ignored.
    """
    pace = list(pace)
    for t, x in sorted(samples):
        if pace and (t <= pace[-1][0] or x <= pace[-1][1]):
            continue
        # the last sample is replaced until it is ten seconds after the one before
        if len(pace) >= 2 and pace[-1][0] - pace[-2][0] < SAMPLE_INTERVAL_S:
            pace.pop()
        pace.append([t, x])
    first = 0
    while len(pace) - first > 2 and pace[first + 1][0] <= pace[-1][0] - PACE_WINDOW_S:
        first += 1
    return pace[first:]


def estimate(pace: list[list[float]], max_iter: int | None, now: float) -> float | None:
    """The unix time at which a session will be done at this pace; None if it is unknown, or after the year 9999."""
    if max_iter is None or len(pace) < 2:
        return None
    (t0, x0), (t1, x1) = pace[0], pace[-1]
    if t1 <= t0 or x1 <= x0:
        return None
    seconds_per_iteration = (t1 - t0) / (x1 - x0)
    at = now + max(0.0, max_iter - 1 - x1) * seconds_per_iteration
    return at if at <= LATEST_TIME_S else None


def progress(status: str, last_x: int | None, max_iter: int | None) -> float | None:
    """The fraction done, from 0 to 1. It is 1 for a complete session, None without max_iter."""
    if status == "complete":
        return 1.0
    if not max_iter:
        return None
    return 0.0 if last_x is None else max(0.0, min(1.0, (last_x + 1) / max_iter))
