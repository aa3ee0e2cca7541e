"""How long delivery waits, and for what. Fewer and larger requests take less from the training."""

from __future__ import annotations

import time
from dataclasses import dataclass

# from this rate on, about 70 steps a second on two graphs, points are sent in larger batches
POINTS_BYTES_PER_S = 4_000
# size of a record with one point, which does not count: slow steps are sent as they come, on many graphs too
ONE_POINT_BYTES = 100
PROCESS_INTERVAL_S = 0.02  # between the starts of two requests of this process, those of all sessions


@dataclass(frozen=True)
class Timing:
    """All in seconds."""

    response_timeout: float = 30.0  # for a whole response
    silence: float = 10.0  # without a response, after which that is reported
    slow: float = 1.0  # without a response, after which a script that gives up at its end names that as the cause
    first_retry: float = 0.25  # the pauses between attempts grow from this to `max_retry`
    max_retry: float = 30.0
    fix_retry: float = 60.0  # pause while the user has to fix something, such as the API key
    waiting_retry: float = 0.5  # longest pause while a caller waits for the delivery
    heartbeat: float = 10.0  # after the last request
    min_interval: float = 0.1  # between the starts of two requests of a session (see `interval_after`)
    max_interval: float = 1.0
    sync_patience: float = 45.0  # without an acknowledgement, after which `losswise sync` gives up
    backfill_pause: float = 0.5  # between two requests that send journals of earlier runs


DEFAULT_TIMING = Timing()


def interval_after(lines: list[bytes], timing: Timing) -> float:
    """Seconds from the start of a request with these records to the start of the session's next one.

    One second for each 4 kB of points in it, within bounds. So fast steps are sent in batches, and a point after a
    quiet moment goes at once.

    The duration of the last request does not count. A request to a near server takes some milliseconds whatever is in
    it, so that does not tell fast steps from slow ones; and a busy or distant server would make live charts jerky: with
    ten times the duration as the interval, the 95th percentile from `append` to the chart rose from 0.2 s to 1 s.
    """
    points = sum(max(0, len(line) - ONE_POINT_BYTES) for line in lines if line.startswith(b'{"type":"points"'))
    return min(max(timing.min_interval, points / POINTS_BYTES_PER_S), timing.max_interval)


_next_start = 0.0


def reserve_start() -> float:
    """Reserve the next start of a request in this process (`time.monotonic`), at most 50 a second.

    Two threads that meet here may get the same time. That does no harm, and a lock would have to be handled on fork.
    """
    global _next_start
    start = max(time.monotonic(), _next_start)
    _next_start = start + PROCESS_INTERVAL_S
    return start


def wait_for_process(_interval: float) -> None:
    """Wait until this process may start a request. Requests of a replay have no other pace."""
    time.sleep(max(0.0, reserve_start() - time.monotonic()))
