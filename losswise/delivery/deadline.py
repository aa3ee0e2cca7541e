"""How long an answer may take in all. A socket's own timeout begins anew with each byte."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any


class Patience:
    """What the answers of one wire get.

    Attributes:
        most: seconds from the end of a request to the end of its answer.
        tell_after: seconds after which `tell` is called once, if the answer is not whole then.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self.most = self.tell_after = 0.0
        self.tell = tell

    def rule(self, pool: Any) -> None:
        """From here on, each answer over a connection of this pool of urllib3's is bounded."""
        patience = self

        class Connection(pool.ConnectionCls):
            def response_class(self, sock: Any, *args: Any, **options: Any) -> HTTPResponse:
                response = HTTPResponse(sock, *args, **options)
                response.fp = io.BufferedReader(_Reading(sock, response.fp, patience))
                return response

        pool.ConnectionCls = Connection


class _Reading(io.RawIOBase):
    """A socket that is read until the patience is over. It closes the file that it stands for."""

    def __init__(self, sock: Any, file: Any, patience: Patience) -> None:
        self._sock, self._file, self._patience = sock, file, patience
        now = time.monotonic()
        self._until, self._tell_at = now + patience.most, now + patience.tell_after

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            now = time.monotonic()
            if now >= self._tell_at:
                self._tell_at = float("inf")
                self._patience.tell()
            if now >= self._until:
                raise TimeoutError("timed out")
            self._sock.settimeout(min(self._until, self._tell_at) - now)
            try:
                return int(self._sock.recv_into(buffer))
            except TimeoutError:
                continue

    def close(self) -> None:
        self._file.close()
        super().close()
