"""The chart of one long series over HTTP: whole and zoomed, its time and its bytes, whatever the series' length.

A series is one quantity with a spike of one point and one NaN; every answer must show them where its window has
them. Zoomed is the median of windows of a half to a ten-thousandth, anywhere. A request's time ends when its body has
arrived and is decompressed.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.support.measuring import running_postgres, running_server, say
from benchmarks.support.report import Row

if TYPE_CHECKING:
    from tests.support.server import Server

MOST_MS, MOST_KB = 50.0, 60.0
WIDTH = 1_000
BATCH = 100_000
SPIKE = 1_000.0


def run(quick: bool) -> list[Row]:
    lengths = [10_000, 100_000] if quick else [10_000, 100_000, 1_000_000, 10_000_000]
    with running_server() as server:
        rows = _measured("SQLite", server, lengths, 3 if quick else 20)
    with running_postgres() as postgres, running_server(database_url=postgres.new_database()) as server:
        return rows + _measured("PostgreSQL", server, lengths, 3 if quick else 20)


def _measured(name: str, server: Server, lengths: list[int], repeats: int) -> list[Row]:
    rows = []
    chance = random.Random(7)
    for length in lengths:
        say(f"series: {length:,} points into {name}")
        graph = _store(server, length)
        ask = _Asker(server, graph, length)
        whole = [ask(None, None) for _ in range(repeats)]
        zoomed = [ask(*window) for window in _windows(length, chance, repeats)]
        for title, found in (("whole", whole), ("zoomed", zoomed)):
            times, sizes = [ms for ms, _ in found], [size for _, size in found]
            what = f"{name}, {length:,} points, {title}"
            rows.append(Row(what, "ms", times, bar=f"≤ {MOST_MS:g} ms", met=median(times) <= MOST_MS))
            rows.append(Row(what, "kB", sizes, bar=f"≤ {MOST_KB:g} kB", met=max(sizes) <= MOST_KB))
    return rows


def _windows(length: int, chance: random.Random, repeats: int) -> Iterator[tuple[int, int]]:
    for number in range(repeats):
        span = max(10, int(length * (0.5, 0.1, 0.01, 0.001, 0.0001)[number % 5]))
        start = chance.randrange(length - span)
        yield start, start + span


class _Asker:
    """Asks for windows of a series, and looks whether what must be in the answer is."""

    def __init__(self, server: Server, graph: str, length: int) -> None:
        import requests

        self._http = requests.Session()
        self._http.headers["Authorization"] = server.api_key
        self._url, self._graph = f"{server.url}/api/v2/series", graph
        self._spike, self._nan = _places(length)

    def __call__(self, x0: int | None, x1: int | None) -> tuple[float, float]:
        """Milliseconds and kB of an answer."""
        asked: dict[str, Any] = {"graph": self._graph, "width": WIDTH}
        if x0 is not None:
            asked |= {"x0": x0, "x1": x1}
        started = time.perf_counter()
        answer = self._http.get(self._url, params=asked, stream=True)
        packed = answer.raw.read()
        milliseconds = (time.perf_counter() - started) * 1e3
        answer.raise_for_status()
        self._check(packed, answer.headers.get("Content-Encoding"), x0, x1)
        return milliseconds, len(packed) / 1e3

    def _check(self, packed: bytes, encoding: str | None, x0: int | None, x1: int | None) -> None:
        import gzip
        import json

        body = json.loads(gzip.decompress(packed) if encoding == "gzip" else packed)["graphs"][self._graph]
        shown = body["series"]["loss"]
        high = shown["y"] if body["exact"] else shown["max"]
        nan = shown["y"].count("NaN") if body["exact"] else sum(shown["nan"])
        numbers = [value for value in high if isinstance(value, float)]
        if (x0 is None or x0 <= self._spike <= x1) != (max(numbers) == SPIKE):  # type: ignore[operator]
            raise RuntimeError("the spike is lost")
        if nan != (x0 is None or x0 <= self._nan <= x1):  # type: ignore[operator]
            raise RuntimeError("the NaN is lost")
        if not body["exact"] and not WIDTH / 2 <= len(shown["x"]) <= WIDTH:
            raise RuntimeError(f"{len(shown['x'])} places for {WIDTH} pixels")


def _places(length: int) -> tuple[int, int]:
    return length * 4 // 9, length * 7 // 9


def _store(server: Server, length: int) -> str:
    """Send a series in batches, as `losswise sync` would; returns its graph."""
    import math

    from tests.support.batches import Writing

    run = Writing(server, tag=f"{length:,} points")
    graph = run.graph()
    spike, nan = _places(length)
    noise = random.Random(length)
    for start in range(0, length, BATCH):
        xs = list(range(start, min(start + BATCH, length)))
        values: list[Any] = [math.exp(-x / length * 3) + noise.gauss(0, 0.05) for x in xs]
        for place, value in ((spike, SPIKE), (nan, "NaN")):
            if start <= place < start + len(xs):
                values[place - start] = value
        run.points(graph, xs, [1.7e9 + x / 100 for x in xs], loss=values)
    run.end()
    return graph


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("series",)))
