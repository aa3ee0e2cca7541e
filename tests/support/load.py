"""Writers that send batch after batch, each until it is acknowledged, whatever happens to the server meanwhile."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import requests

from losswise.protocol import records
from tests.support.server import Server

SIZE = 50
"""Points in a batch."""


class Load:
    """`sessions` writers, a thread and a session each, that write to `address()` while the context lasts.

    Attributes:
        acknowledged: points acknowledged by session.
        answers: how often which status was answered; 0: none came.
        bodies: the last answer's JSON by status.
    """

    def __init__(self, key: str, address: Callable[[], str], sessions: int = 4, pause: float = 0.01) -> None:
        self.acknowledged: dict[str, int] = {}
        self.answers: Counter[int] = Counter()
        self.bodies: dict[int, Any] = {}
        self.retry_after: dict[int, str | None] = {}
        self._key = key
        self._address = address
        self._pause = pause
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._write, daemon=True) for _ in range(sessions)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def total(self) -> int:
        with self._lock:
            return sum(self.acknowledged.values())

    def more(self, points: int) -> Callable[[], bool]:
        """Whether so many points more have been acknowledged than are now."""
        until = self.total() + points
        return lambda: self.total() >= until

    def check(self, server: Server) -> None:
        """Every point that was acknowledged is there, once; of each session at most the batch in flight is more."""
        assert self.acknowledged
        for session, count in self.acknowledged.items():
            found = server.session(session)
            xs = server.points(found["graphs"][0]["id"])["loss"]["x"]
            assert xs == list(range(len(xs)))
            assert len(xs) in (count, count + SIZE)
            assert found["points"] == found["stats"]["loss"]["count"] == len(xs)

    def _write(self) -> None:
        session, writer = records.new_id(), records.new_id()
        graph = records.graph_id(session, "loss")
        first = [
            records.session_record(tag="load", created_at=time.time()),
            records.graph_record(graph, "loss", kind="min"),
        ]
        if not self._send({"session": session, "writer": writer, "seq": 2, "records": first}):
            return
        with self._lock:
            self.acknowledged[session] = 0
        for number in itertools.count():
            xs = list(range(number * SIZE, (number + 1) * SIZE))
            record = records.points_record(graph, xs, [time.time()] * SIZE, {"loss": [1.0] * SIZE})
            if not self._send({"session": session, "writer": writer, "seq": number + 3, "records": [record]}):
                return
            with self._lock:
                self.acknowledged[session] += SIZE
            time.sleep(self._pause)

    def _send(self, batch: dict[str, Any]) -> bool:
        """Send until it is acknowledged. False: the load was stopped before."""
        while not self._stopping.is_set():
            try:
                answer = requests.post(
                    self._address() + "/api/v2/batches",
                    json={"format": 1, **batch},
                    headers={"Authorization": self._key},
                    timeout=20,
                )
            except requests.RequestException:
                status = 0
            else:
                status = answer.status_code
                with self._lock:
                    self.bodies[status] = answer.json()
                    self.retry_after[status] = answer.headers.get("Retry-After")
            with self._lock:
                self.answers[status] += 1
            if status == 200:
                return True
            time.sleep(0.05)
        return False
