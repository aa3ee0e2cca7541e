"""From `append` to the pixel: ten points a second, one page in Chromium, and 49 more readers of the stream.

The script's waits between two points vary, so that they do not keep step with the client's and the server's own. A
point counts as drawn in the frame after the one in which the chart was cleared and drawn with it.
"""

from __future__ import annotations

import contextlib
import json
import random
import selectors
import socket
import sys
import threading
import time
from collections.abc import Iterator
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from benchmarks.support.browser import signed_in_page
from benchmarks.support.measuring import (
    Child,
    Result,
    reaching,
    running_postgres,
    running_server,
    say,
    temporary_folder,
)
from benchmarks.support.report import Row

if TYPE_CHECKING:
    from tests.support.server import Server

BAR = 250.0
EVERY = 0.1
READERS = 49
STEADY = 5
"""Points before those that count."""


def run(quick: bool) -> list[Row]:
    points, repeats = (100, 1) if quick else (300, 3)
    found: dict[str, list[Result]] = {"SQLite": [], "PostgreSQL": []}
    with running_postgres() as postgres:
        for number in range(repeats):
            for name, results in found.items():
                say(f"live: {name}, {number + 1} of {repeats}")
                url = postgres.new_database() if name == "PostgreSQL" else None
                with running_server(database_url=url) as server:
                    results.append(_measured(server, points))
    return [row for name, results in found.items() for row in _rows(name, results)]


def _rows(name: str, results: list[Result]) -> list[Row]:
    drawn = [result["drawn"] for result in results]
    told = [result["told"] for result in results]
    worst = [_p95(times) for times in drawn]
    return [
        Row(f"{name}: append to pixel, median", "ms", [median(times) for times in drawn]),
        Row(
            f"{name}: append to pixel, 95th percentile",
            "ms",
            worst,
            bar=f"≤ {BAR:.0f} ms",
            met=median(worst) <= BAR,
            detail={"drawn": drawn},
        ),
        Row(f"{name}: append to {READERS} readers, median", "ms", [median(times) for times in told]),
        Row(f"{name}: append to {READERS} readers, 95th percentile", "ms", [_p95(times) for times in told]),
    ]


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1]


def _measured(server: Server, points: int) -> Result:
    with (
        temporary_folder() as folder,
        Child("benchmarks.live:script", folder / "script", **reaching(server)) as script,
        Child("benchmarks.live:readers", folder / "readers") as reading,
    ):
        begun = script.call(points=0)
        project = server.project_id()
        path = f"/live?project_id={project}&session={begun['session']}"
        reading.call(port=server.port, key=server.api_key, path=path, last=None)
        with open_page(server, f"/projects/{project}?s={begun['session']}") as page:
            calls = [
                threading.Thread(target=lambda: begun.update(script.call(points=points))),
                threading.Thread(target=lambda: begun.update(reading.call(last=points))),
            ]
            for call in calls:
                call.start()
            for call in calls:
                call.join()
            page.wait_for_function(f"() => {points} in window.measured")
            drawn = page.evaluate("() => window.measured")
    appended = begun["appended"]
    counted = range(STEADY, points + 1)
    heard = [times.get(str(x)) for times in begun["heard"] for x in counted]
    if None in heard:
        raise RuntimeError("a reader did not hear of every point")
    return {
        "drawn": [(drawn[str(x)] - appended[str(x)]) * 1e3 for x in counted],
        "told": [(times[str(x)] - appended[str(x)]) * 1e3 for times in begun["heard"] for x in counted],
    }


# in Chromium

WATCH = """
window.measured = {};
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...given) {
  const card = this.canvas.closest('.card');
  for (const { loss } of Object.values(card?.losswise.data() ?? {})) {
    const fresh = (loss?.x ?? []).filter((x) => !(x in window.measured));
    if (fresh.length)
      requestAnimationFrame(() => { for (const x of fresh) window.measured[x] ??= Date.now() / 1000; });
  }
  return clear.apply(this, given);
};
"""


@contextlib.contextmanager
def open_page(server: Server, path: str) -> Iterator[Any]:
    """A page of the admin that follows the session, and notes when a point is drawn."""
    with signed_in_page(server, WATCH) as page:
        page.goto(server.url + path)
        page.wait_for_selector("#live[data-state=live]")
        page.wait_for_function("() => 0 in window.measured")
        yield page


# in the script

_graph: Any = None


def script(points: int) -> Result:
    """First a session with one point; then so many points, with the times of their appends."""
    global _graph
    if _graph is None:
        from losswise import Session

        session = Session("live", track_git=False, command_line=False)
        _graph = session.graph("loss")
        _graph.append(0, {"loss": 1.0})
        if not session.flush(60.0):
            raise RuntimeError("the server does not answer")
        return {"session": session.id}
    appended = {}
    waits = random.Random(1)
    for x in range(1, points + 1):
        time.sleep(EVERY * waits.uniform(0.5, 1.5))
        appended[x] = time.time()
        _graph.append(x, {"loss": 1 / (1 + x)})
    return {"appended": appended}


# in the process of the readers

_sockets: list[socket.socket] = []


def readers(last: int | None, port: int = 0, key: str = "", path: str = "") -> Result:
    """First open the streams; then read them until each has the last point, with the times at which points came."""
    if last is None:
        for _ in range(READERS):
            stream = socket.create_connection(("127.0.0.1", port), timeout=30)
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {key}\r\n\r\n".encode())
            _sockets.append(stream)
        return {}
    heard: list[dict[int, float]] = [{} for _ in _sockets]
    left = [b"" for _ in _sockets]
    waiting = selectors.DefaultSelector()
    for number, stream in enumerate(_sockets):
        waiting.register(stream, selectors.EVENT_READ, number)
    until = time.monotonic() + 300
    while any(last not in times for times in heard):
        if time.monotonic() > until:
            raise RuntimeError("a reader does not hear of the last point")
        for ready, _ in waiting.select(1.0):
            number, at = ready.data, time.time()
            lines = (left[number] + _sockets[number].recv(65_536)).split(b"\n")
            left[number] = lines.pop()
            for line in lines:
                if line.startswith(b'data: {"session"'):
                    for x in _steps(json.loads(line[6:])):
                        heard[number].setdefault(x, at)
    return {"heard": heard}


def _steps(data: dict[str, Any]) -> list[int]:
    return [x for graph in (data["graphs"] or {}).values() for x in graph["series"].get("loss", {"x": []})["x"]]


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("live",)))
