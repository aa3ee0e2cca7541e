"""A small session beside one of 500 graphs: how soon a page gets the points of the small one, and what events cost.

Both are in projects of their own, and each is followed by a stream. The big session posts a step of all its graphs once
a second, the small one a point ten times a second in uneven steps. The time counts from the point's post to its event.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from benchmarks.support.measuring import Child, Result, running_postgres, running_server, say, temporary_folder
from benchmarks.support.report import Row

if TYPE_CHECKING:
    from tests.support.server import Server

BAR = 100.0
GRAPHS = 500
EVERY = 0.1
STEADY_S = 3.0
"""Seconds before those that count."""


def run(quick: bool) -> list[Row]:
    seconds, repeats = (10.0, 1) if quick else (60.0, 3)
    found: dict[str, list[tuple[Result, Result]]] = {"SQLite": [], "PostgreSQL": []}
    with running_postgres() as postgres:
        for number in range(repeats):
            for name, results in found.items():
                say(f"beside: {name}, {number + 1} of {repeats}")
                url = postgres.new_database() if name == "PostgreSQL" else None
                with running_server(database_url=url) as server:
                    results.append((_measured(server, seconds, 0), _measured(server, seconds, GRAPHS)))
    return [row for name, results in found.items() for row in _rows(name, results)]


def _rows(name: str, results: list[tuple[Result, Result]]) -> list[Row]:
    alone = [one["told"] for one, _ in results]
    beside = [two["told"] for _, two in results]
    worst = [_p95(times) for times in beside]
    rows = [
        Row(f"{name}: post to event, median", "ms", [median(t) for t in beside], "alone", [median(t) for t in alone]),
        Row(
            f"{name}: post to event, 95th percentile",
            "ms",
            worst,
            "alone",
            [_p95(times) for times in alone],
            bar=f"≤ {BAR:.0f} ms",
            met=median(worst) <= BAR,
            detail={"told": beside, "alone": alone, "events": [two["events"] for _, two in results]},
        ),
        Row(f"{name}: post to event, longest", "ms", [max(t) for t in beside], "alone", [max(t) for t in alone]),
        Row(f"{name}: post to response, 95th percentile", "ms", [_p95(two["applied"]) for _, two in results]),
        Row(f"{name}: a step of {GRAPHS} graphs, post to response, median", "ms", [two["big"] for _, two in results]),
    ]
    for event in ("points", "change", "session"):
        sizes = [two["events"][event] for _, two in results]
        rows.append(Row(f"{name}: {GRAPHS} graphs, `{event}` events", "kB/s", [size / 1e3 for size in sizes]))
    return rows


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


def _measured(server: Server, seconds: float, graphs: int) -> Result:
    """The small session, beside one of so many graphs (0: alone)."""
    reach = {"url": server.url, "key": server.api_key}
    for project in ("big", "small"):
        server.request("POST", "/api/v2/projects", json={"name": project})
    with (
        temporary_folder() as folder,
        Child("benchmarks.beside:big", folder / "big") as loading,
        Child("benchmarks.beside:watch", folder / "watch") as watching,
        Child("benchmarks.beside:small", folder / "small") as measuring,
    ):
        found: Result = {"big": 0.0, "events": {}}
        calls = []
        if graphs:
            begun = loading.call(**reach, graphs=graphs)
            path = f"/live?project_id={server.project_id('big')}&session={begun['session']}"
            calls = [
                lambda: found.update(big=loading.call(seconds=seconds)["median"]),
                lambda: found.update(events=watching.call(**reach, path=path, seconds=seconds)["bytes"]),
            ]
        calls.append(lambda: found.update(measuring.call(**reach, seconds=seconds)))
        threads = [threading.Thread(target=call) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return found


# in the processes of the sessions and their readers


class _Writer:
    """Posts the batches of a session over one connection."""

    def __init__(self, url: str, key: str, project: str) -> None:
        import requests

        from losswise.protocol import records

        self.session, self.writer, self.seq = records.new_id(), records.new_id(), 0
        self._url = url
        self._http = requests.Session()
        self._http.headers["Authorization"] = key
        self.post([records.session_record(tag=project, project=project, created_at=time.time())])

    def graphs(self, count: int) -> list[str]:
        from losswise.protocol import records

        titles = [f"layer{number}/grad_norm" for number in range(count)]
        ids = [records.graph_id(self.session, title) for title in titles]
        self.post([records.graph_record(id_, title, kind="min") for id_, title in zip(ids, titles, strict=True)])
        return ids

    def post(self, batch: list[dict[str, Any]]) -> None:
        self.seq += len(batch)
        body = {"format": 1, "session": self.session, "writer": self.writer, "seq": self.seq, "records": batch}
        answer = self._http.post(self._url + "/api/v2/batches", json=body, timeout=60)
        answer.raise_for_status()

    def points(self, graphs: list[str], x: int) -> None:
        from losswise.protocol import records

        now = time.time()
        self.post([records.points_record(graph, [x], [now], {"value": [random.random()]}) for graph in graphs])


_big: tuple[_Writer, list[str]] | None = None


def big(seconds: float = 0.0, url: str = "", key: str = "", graphs: int = 0) -> Result:
    """First create the session; then post a step a second."""
    global _big
    if _big is None:
        writer = _Writer(url, key, "big")
        _big = writer, writer.graphs(graphs)
        return {"session": writer.session}
    writer, ids = _big
    begun, times = time.monotonic(), []
    for step in range(int(seconds)):
        time.sleep(max(0.0, begun + step - time.monotonic()))
        posted = time.monotonic()
        writer.points(ids, step)
        times.append((time.monotonic() - posted) * 1e3)
    return {"median": median(times)}


def watch(url: str, key: str, path: str, seconds: float) -> Result:
    """Read a stream for so many seconds; returns how many bytes of each event came a second."""
    sizes: Counter[str] = Counter(points=0, change=0, session=0)
    until = time.monotonic() + seconds
    for name, data in _events(url, key, path, until):
        sizes[name] += len(data)
    return {"bytes": {name: size / seconds for name, size in sizes.items()}}


def small(url: str, key: str, seconds: float) -> Result:
    """Post points, and read them from the stream; returns how long each took, in ms."""
    import requests

    writer = _Writer(url, key, "small")
    graphs = writer.graphs(1)
    answer = requests.get(f"{url}/api/v2/sessions/{writer.session}", headers={"Authorization": key}, timeout=30)
    path = f"/live?project_id={answer.json()['project_id']}&session={writer.session}"
    posted: dict[int, float] = {}
    heard: dict[int, float] = {}
    until = time.monotonic() + seconds

    def read() -> None:
        for name, data in _events(url, key, path, until + 30):
            if name == "points":
                body = json.loads(data)["graphs"].get(graphs[0])
                steps = body["series"]["value"]["x"] if body else []
                for x in steps:
                    heard.setdefault(x, time.monotonic())
                if -1 in steps:
                    return

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(0.5)
    waits, applied, step = random.Random(1), [], 0
    counted_from = time.monotonic() + min(STEADY_S, seconds / 3)
    while time.monotonic() < until:
        time.sleep(EVERY * waits.uniform(0.5, 1.5))
        step += 1
        at = time.monotonic()
        writer.points(graphs, step)
        if at > counted_from:
            posted[step] = at
            applied.append((time.monotonic() - at) * 1e3)
    writer.points(graphs, -1)
    reader.join()
    return {"told": [(heard[step] - at) * 1e3 for step, at in posted.items()], "applied": applied}


def _events(url: str, key: str, path: str, until: float) -> Iterator[tuple[str, bytes]]:
    """The events of a stream, until a time (time.monotonic)."""
    host, _, port = url.rpartition("//")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {key}\r\n\r\n".encode())
        left = b""
        while time.monotonic() < until:
            parts = (left + stream.recv(65_536)).split(b"\n\n")
            left = parts.pop()
            for part in parts:
                name, _, data = part.partition(b"event: ")[2].partition(b"\ndata: ")
                if name:
                    yield name.decode(), data
            # chunk sizes stand between events, where the server sends chunks


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("beside",)))
