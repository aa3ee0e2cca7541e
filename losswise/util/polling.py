"""Wait for a condition by polling it."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(done: Callable[[], bool], timeout: float) -> bool:
    """Poll, since a signal handler that runs in the middle must be able to wait for the same thing."""
    deadline = time.monotonic() + timeout
    pause = 0.001
    while not done():
        if time.monotonic() >= deadline:
            return done()
        time.sleep(pause)
        pause = min(0.02, pause * 1.5)
    return True
