"""Reads a subscriber's stream, as the thread that sends it does."""

from __future__ import annotations

import json
import threading
from typing import Any

from losswise_server.live.subscribers import Subscriber


class StreamReader:
    """Collects the events of a subscriber, in a thread of its own, until the stream ends."""

    def __init__(self, subscriber: Subscriber | None) -> None:
        assert subscriber is not None, "the hub has no room"
        self.subscriber = subscriber
        self.events: list[bytes] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for part in self.subscriber.stream():
            self.events += [event for event in part.split(b"\n\n") if event.startswith(b"event: ")]

    @property
    def names(self) -> list[str]:
        return [event.partition(b"\n")[0].decode().removeprefix("event: ") for event in list(self.events)]

    def data(self, name: str) -> list[Any]:
        """The data of all events with this name."""
        start = f"event: {name}\ndata: ".encode()
        return [json.loads(event[len(start) :]) for event in list(self.events) if event.startswith(start)]
