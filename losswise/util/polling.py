"""Wait for a condition by polling it."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(done: Callable[[], bool], timeout: float) -> bool:
    """Poll until `done` returns true, for at most `timeout` seconds. Returns False if the time ran out first.

    Polling instead of a condition variable lets a signal handler that interrupts this wait do the same wait itself.
    """
    deadline = time.monotonic() + timeout
    pause = 0.001
    while not (is_done := done()) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)
    return is_done or done()
