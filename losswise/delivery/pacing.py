"""When the next request may start: fewer and larger requests take less from the training."""

from __future__ import annotations

import time

from losswise.delivery.timing import Timing

LOAD_FACTOR = 10
"""A session's requests take at most one tenth of the time."""
POINTS_BYTES_PER_S = 16_000
"""From this rate on, about 120 steps a second of two graphs, points are sent in larger batches."""
PROCESS_INTERVAL_S = 0.02
"""Between the starts of two requests of this process, those of all sessions."""


class Pace:
    """When the next request of one session may start.

    The more a request costs, the later the next one starts: ten times as long after its start as it took, or one
    second for each 16 kB of points in it, within bounds. So fast steps are sent in batches, and a point after a quiet
    moment goes at once. The duration alone would not tell fast steps from slow ones: with a local server, a request
    takes some milliseconds whatever is in it.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._started_at = float("-inf")
        self._is_running = False
        self._interval = timing.min_interval

    def next_start(self, max_interval: float) -> float:
        """When the next request may start (`time.monotonic`), if no interval is longer than `max_interval`."""
        return self._started_at + min(self._interval, max_interval)

    def request_started(self) -> None:
        """Note that a request starts now."""
        self._started_at, self._is_running = time.monotonic(), True

    def request_ended(self, points_bytes: int) -> None:
        """Note that the request is over, if there was one."""
        if self._is_running:
            self._is_running = False
            seconds = time.monotonic() - self._started_at
            cost = max(LOAD_FACTOR * seconds, points_bytes / POINTS_BYTES_PER_S)
            self._interval = min(max(self._timing.min_interval, cost), self._timing.max_interval)


_next_start = 0.0


def reserve_start() -> float:
    """Reserve the next start of a request in this process (`time.monotonic`), at most 50 a second.

    Two threads that meet here may get the same time. That does no harm, and a lock would have to be handled on fork.
    """
    global _next_start
    start = max(time.monotonic(), _next_start)
    _next_start = start + PROCESS_INTERVAL_S
    return start


def wait_for_process(_max_interval: float) -> None:
    """Wait until this process may start a request. Requests of a replay have no other pace."""
    time.sleep(max(0.0, reserve_start() - time.monotonic()))
