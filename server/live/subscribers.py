"""One open stream of events: what waits for its reader, bounded, and what becomes of a reader that does not read."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

KEEP_ALIVE = 15.0
QUEUE_MOST = 500
QUEUE_BYTES = 256 * 1024
SEND_BYTES = 64 * 1024
"""What the system buffers of a stream, beside what waits here: more would be old before it is read."""
LIFE = 3_600.0
"""Seconds after which a reader connects again, and whether it may still listen is looked up again."""
SEND_MOST = 30.0
"""Seconds that the reader may leave the server's sending blocked."""


def event(name: str, data: Any) -> bytes:
    """A server-sent event. `data` is JSON text or a value."""
    body = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
    return f"event: {name}\ndata: {body}\n\n".encode()


class Subscriber:
    """A bounded queue of events, which the readers share. A reader too slow for it is told to ask again instead.

    Attributes:
        projects: whose sessions' rows it gets.
        sessions: whose points it gets; None for all sessions of the projects.
    """

    def __init__(
        self, projects: frozenset[int], sessions: frozenset[str] | None, connection: socket.socket | None = None
    ) -> None:
        self.projects = projects
        self.sessions = sessions
        self._connection = connection
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._ready = threading.Condition()
        self._closed = False
        self._sending_since: float | None = None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)
        self.ask_again()

    def ask_again(self) -> None:
        """Tell the reader to ask for all that it shows."""
        self.put(self._hello())

    def _hello(self) -> bytes:
        return event("hello", {"time": time.time(), "projects": sorted(self.projects)})

    def put(self, event_: bytes) -> None:
        with self._ready:
            if self._events and (len(self._events) >= QUEUE_MOST or self._bytes + len(event_) > QUEUE_BYTES):
                self._events.clear()
                self._bytes = 0
                event_ = self._hello()
            self._events.append(event_)
            self._bytes += len(event_)
            self._ready.notify()

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify()

    def is_gone(self, now: float) -> bool:
        """Whether the reader has hung up, or has taken nothing for so long that its thread is wanted back."""
        since = self._sending_since
        if since is not None and now - since > SEND_MOST:
            return True
        if self._connection is None:
            return False
        try:
            return self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def abandon(self) -> None:
        """End the connection; the thread that sends to it gets an error."""
        self.close()
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def stream(self) -> Iterator[bytes]:
        """Events as they come, a sign of life when it is quiet, until closed or old."""
        # not all at once, after a restart or an hour
        waiting = f"retry: {random.randint(500, 2_000)}\n\n".encode()
        ends_at = time.monotonic() + LIFE * random.uniform(0.9, 1.1)
        while time.monotonic() < ends_at:
            self._sending_since = time.monotonic()
            yield waiting
            self._sending_since = None
            with self._ready:
                if not self._events and not self._closed:
                    self._ready.wait(KEEP_ALIVE)
                if self._closed:
                    return
                waiting = b"".join(self._events)
                self._events.clear()
                self._bytes = 0
            waiting = waiting or event("still", {"time": time.time()})
