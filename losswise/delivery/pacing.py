"""How long steps gather before they are sent: fewer and larger requests take less from the training."""

from __future__ import annotations

import threading
import time

PART = 4
"""What waits gathers up to a fourth of a batch; beyond, time matters more."""
PAUSES = ((40, 1.0), (5, 0.4))
"""Points of one graph between two looks at the journal, and from there on, seconds between two requests."""


def pause(records: list[bytes]) -> float:
    """Seconds between two requests where these lines of a journal wait, which came in one look; 0: any time will do."""
    points = [record for record in records if record.startswith(b'{"type":"points"')]
    graph = points[0][: points[0].find(b',"x"')] if points else b""
    steps = sum(record[: record.find(b"]")].count(b",") - 1 for record in points if record.startswith(graph))
    return next((seconds for least, seconds in PAUSES if steps >= least), 0.0)


def size(records: list[bytes]) -> int:
    """Bytes that they take in the journal."""
    return sum(map(len, records)) + len(records)


PAUSE = 0.1
"""Seconds between the starts of two requests of this process."""


class Pace:
    """At most one request each PAUSE seconds, by all threads of this process together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = float("-inf")

    def wait(self) -> None:
        """Wait for the turn of a request; it goes at once after a quiet pause."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._last + PAUSE)
            self._last = turn
        if turn > now:
            time.sleep(turn - now)
