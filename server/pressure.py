"""How much a process takes in at once: what writers send waits or is refused before memory and threads run out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .refused import Refused

BODIES_MOST = 12
"""Requests that write, at once."""
WAITING_MOST = 28
"""More that may wait for room, their bodies still on the wire. Of the 64 threads that are no streams' (serve.py), some
stay for those who look."""
BYTES_MOST = 64 * 1024 * 1024
"""JSON text of all their bodies; what is made of it takes several times as much."""
PACKED = 6
"""So many bytes of JSON may stand in a byte of gzip; usually there are fewer."""
PATIENCE = 5.0
"""Seconds of waiting for room: a checkpoint of SQLite, or a lock, is soon over."""
PATIENCE_V1 = 60.0


class Gate:
    """Counts the bodies that are at work. One alone is always let in, however large.

    Example:
        >>> gate = Gate(bodies=2, size=1_000)
        >>> with gate.admitted(500):
        ...     gate.size
        500
    """

    def __init__(self, bodies: int = BODIES_MOST, size: int = BYTES_MOST, waiting: int = WAITING_MOST) -> None:
        self.bodies = 0
        self.size = 0
        self.waiting = 0
        self._bodies_most = bodies
        self._size_most = size
        self._waiting_most = waiting
        self._room = threading.Condition()

    @contextmanager
    def admitted(self, size: int, patience: float = PATIENCE, insist: bool = False) -> Iterator[None]:
        """Room for a body of about so many bytes, waited for up to `patience` seconds.

        Raises Refused with 429 where there is none, at once where too many wait already, unless it must `insist`.
        """
        self._enter(size, patience, insist)
        try:
            yield
        finally:
            with self._room:
                self.bodies -= 1
                self.size -= size
                self._room.notify_all()

    def _enter(self, size: int, patience: float, insist: bool) -> None:
        with self._room:
            if not self._has_room(size):
                self._wait(size, time.monotonic() + patience, insist)
            self.bodies += 1
            self.size += size

    def _wait(self, size: int, until: float, insist: bool) -> None:
        if self.waiting >= self._waiting_most and not insist:
            raise _refused()
        self.waiting += 1
        try:
            while not self._has_room(size):
                left = until - time.monotonic()
                if left <= 0:
                    raise _refused()
                self._room.wait(left)
        finally:
            self.waiting -= 1

    def _has_room(self, size: int) -> bool:
        return not self.bodies or (self.bodies < self._bodies_most and self.size + size <= self._size_most)


def _refused() -> Refused:
    return Refused(429, "busy", "the server is taking in as much as it can; send this again in a second")


gate = Gate()


def weight(length: int | None, encoding: str = "") -> int:
    """About how many bytes of JSON a request with these headers brings; at most half of all, so that a large one, too,
    finds room among small ones."""
    return min((length or 0) * (PACKED if encoding.lower() == "gzip" else 1), BYTES_MOST // 2)
