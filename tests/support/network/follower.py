"""A reader that does with the stream of events what a page does, to see whether it ends with every point once."""

from __future__ import annotations

import queue
import threading
from typing import Any

import requests

from tests.support.network.stream import Stream
from tests.support.server import Server, eventually


class Follower:
    """Follows one graph, through whatever happens to its stream.

    Attributes:
        x: the steps that it has, in the order in which they came.
        connects: how many streams it has opened.
        asked: how often it has asked for the series.
    """

    def __init__(self, server: Server, session: str, graph: str, project: int, at: str | None = None) -> None:
        self.x: list[int] = []
        self.connects = self.asked = 0
        self._version = self._arrivals = -1
        self._server, self._graph, self._at = server, graph, at
        self._params = {"project_id": project, "session": session}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self, x: list[int], timeout: float = 30.0) -> None:
        eventually(lambda: len(self.x) >= len(x), timeout)
        assert self.x == x

    def close(self) -> None:
        self._closed.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._closed.wait(0.05):
            try:
                stream = Stream(self._server, self._at, **self._params)
                if stream.answer.status_code == 200:
                    self.connects += 1
                    self._read(stream)
            except (requests.RequestException, AssertionError):
                continue  # the server is away

    def _read(self, stream: Stream) -> None:
        while not self._closed.is_set():
            try:
                name, data = stream.events.get(timeout=0.1)
            except queue.Empty:
                if stream.ended.is_set():
                    return
                continue
            if name == "hello":
                self._ask()
            elif name == "points":
                self._take(data)
        stream.close()

    def _ask(self) -> None:
        self.asked += 1
        body = self._server.get("/api/v2/series", graph=self._graph, width=100_000)["graphs"][self._graph]
        self.x = list(body["series"].get("loss", {}).get("x", []))
        self._version, self._arrivals = body["version"], body["arrivals"]

    def _take(self, data: dict[str, Any]) -> None:
        if self._version >= data["to"]:
            return
        graphs = data["graphs"]
        if self._version < data["from"] or graphs is None or graphs.get(self._graph, {}) is None:
            self._ask()
            return
        columns = graphs.get(self._graph, {"series": {}})["series"].get("loss", {"x": [], "n": []})
        self.x += [x for x, n in zip(columns["x"], columns["n"], strict=True) if n >= self._arrivals]
        self._version, self._arrivals = data["to"], data["arrivals"]
