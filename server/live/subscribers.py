"""One stream of server-sent events: a bounded queue for its reader, and what happens if the reader does not read."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

PING_INTERVAL_S = 15.0
MAX_QUEUED_EVENTS = 500
MAX_QUEUED_BYTES = 256 * 1024
# What the system buffers for a stream, on top of the queue. Events beyond that would be outdated when they are read.
SOCKET_SEND_BUFFER_BYTES = 64 * 1024
# A stream ends after about an hour, so that access is checked again when the page reconnects.
STREAM_LIFETIME_S = 3_600.0
# A reader that blocks sending for this long is dead.
MAX_BLOCKED_S = 30.0
# Bounds of the wait before a page reconnects: spread out, as after a restart all pages do.
RECONNECT_MS = (500, 2_000)


def event(name: str, data: Any) -> bytes:
    """Encode a server-sent event. `data` is a JSON text or a value."""
    body = data.encode() if isinstance(data, str) else msgspec.json.encode(data)
    return b"event: %s\ndata: %s\n\n" % (name.encode(), body)


class Subscriber:
    """A bounded queue of encoded events, which are shared between subscribers.

    If the reader is too slow for the bound, the queue is replaced by one `hello` event: the page refetches.

    Args:
        projects: the projects whose session rows it gets.
        sessions: the sessions whose points it gets; None for all sessions of the projects.
        connection: the socket that the events are sent to, if it is known: to notice that the reader hung up.
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
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_SEND_BUFFER_BYTES)
        self.ask_again()

    def ask_again(self) -> None:
        """Tell the page to refetch all that it shows."""
        self.put(self._hello())

    def _hello(self) -> bytes:
        return event("hello", {"time": time.time(), "projects": sorted(self.projects)})

    def put(self, event_: bytes) -> None:
        """Queue an event; returns at once. An event larger than the bound is queued alone."""
        with self._ready:
            is_full = len(self._events) >= MAX_QUEUED_EVENTS or self._bytes + len(event_) > MAX_QUEUED_BYTES
            if self._events and is_full:
                self._events.clear()
                self._bytes = 0
                event_ = self._hello()
            self._events.append(event_)
            self._bytes += len(event_)
            self._ready.notify()

    def close(self) -> None:
        """End the stream, at once if it waits for events."""
        with self._ready:
            self._closed = True
            self._ready.notify()

    def is_dead(self, now: float) -> bool:
        """Return whether the reader has hung up, or has blocked sending for too long. `now` is time.monotonic()."""
        since = self._sending_since
        if since is not None and now - since > MAX_BLOCKED_S:
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
        """End the connection; the thread that is sending to it gets an error."""
        self.close()
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def stream(self, lifetime_s: float = STREAM_LIFETIME_S) -> Iterator[bytes]:
        """Yield events as they come, a `ping` when there are none for a while, until closed or `lifetime_s` is over."""
        waiting = f"retry: {random.randint(*RECONNECT_MS)}\n\n".encode()
        ends_at = time.monotonic() + lifetime_s * random.uniform(0.9, 1.1)
        while time.monotonic() < ends_at:
            # between yield and the next call the server sends
            self._sending_since = time.monotonic()
            yield waiting
            self._sending_since = None
            with self._ready:
                if not self._events and not self._closed:
                    self._ready.wait(PING_INTERVAL_S)
                if self._closed:
                    return
                waiting = b"".join(self._events)
                self._events.clear()
                self._bytes = 0
            waiting = waiting or event("ping", {"time": time.time()})
