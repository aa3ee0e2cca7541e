"""A reader of server-sent events."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

from tests.support.server import Server


class Stream:
    """Reads /live in a thread; `wait` returns the first event that satisfies a condition.

    `at` is the address to ask, where it is not the server's own.
    """

    def __init__(self, server: Server, at: str | None = None, **params: Any) -> None:
        self.answer = requests.get(
            (at or server.url) + "/live",
            params=params,
            headers={"Authorization": server.api_key},
            stream=True,
            timeout=(10, 60),
        )
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.ended = threading.Event()
        self._closed = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        name = ""
        try:
            for line in self.answer.iter_lines(chunk_size=None, decode_unicode=True):
                if self._closed:
                    self.answer.close()
                    return
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    self.events.put((name, json.loads(line[6:])))
        except (requests.RequestException, AttributeError, ValueError):
            pass
        self.ended.set()

    def wait(self, name: str, check: Callable[[Any], bool] = lambda data: True, timeout: float = 10.0) -> Any:
        deadline = time.monotonic() + timeout
        seen: list[Any] = []
        while True:
            try:
                event = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                state = "ended" if self.ended.is_set() else "open"
                raise AssertionError(
                    f"no such {name} event in {timeout} s; saw {seen}; the stream is {state}"
                ) from None
            if event[0] == name and check(event[1]):
                return event[1]
            seen.append(event[0])

    def wait_all(self, **checks: Callable[[Any], bool]) -> dict[str, Any]:
        """One event of each name that satisfies its condition, in whatever order they come."""
        found: dict[str, Any] = {}
        while missing := {name: check for name, check in checks.items() if name not in found}:
            try:
                name, data = self.events.get(timeout=10)
            except queue.Empty:
                raise AssertionError(f"no such {' or '.join(missing)} event") from None
            if name in missing and missing[name](data):
                found[name] = data
        return found

    def close(self) -> None:
        """Stop at the next line. (Closing here would wait for it: the other thread is reading.)"""
        self._closed = True


class SilentStream:
    """A stream whose reader does nothing until `read` is called. `status` is the answer's."""

    def __init__(self, server: Server, path: str, receive_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_bytes is not None:  # before it connects: afterwards the window is larger already
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", server.port))
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {server.api_key}\r\n\r\n"
        self.socket.sendall(request.encode())
        self._left = b""
        self._left = self.read(b"\r\n\r\n")
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ", 2)[1])

    def read(self, until: bytes, timeout: float = 20.0) -> bytes:
        """All that comes up to these bytes and a little further, or to the end of the connection."""
        deadline = time.monotonic() + timeout
        data, self._left = self._left, b""
        while until not in data:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            part = self.socket.recv(65_536)
            if not part:
                break
            data += part
        return data

    def close(self) -> None:
        self.socket.close()
