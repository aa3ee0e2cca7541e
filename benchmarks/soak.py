"""Ten minutes of the usual load: 20 scripts that log thirty points a second each, 49 readers and one page in Chromium.

Nothing may fail, every point must be there once, and memory must not grow after the first minutes. It is run by its
name only: `python -m benchmarks soak`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.live import READERS, open_page
from benchmarks.support.measuring import (
    Child,
    Result,
    processor_time,
    reaching,
    running_postgres,
    running_server,
    say,
    temporary_folder,
)
from benchmarks.support.report import Row

if TYPE_CHECKING:
    from tests.support.server import Server

WRITERS = 20
SHOWN = 4
"""Sessions that each page follows."""
EVERY, AT_ONCE = 0.1, 3
MINUTES, SETTLED = 10.0, 3.0
GROWTH = 32.0
TROUBLE = ("error", "warning", "traceback")
MIB = 1024 * 1024


def run(quick: bool) -> list[Row]:
    minutes = 0.5 if quick else MINUTES
    with running_server() as server:
        rows = _rows("SQLite", _soaked(server, [], minutes))
    with running_postgres() as postgres:
        workers = ("--workers", "2")
        with running_server(database_url=postgres.new_database(), arguments=workers) as server:
            return rows + _rows("PostgreSQL, 2 workers", _soaked(server, [postgres.pid], minutes))


def _rows(name: str, result: Result) -> list[Row]:
    wrong = [*result["missing"], *result["said"]]
    points, lost = f"{result['points']:,} points", len(result["missing"])
    return [
        Row(f"{name}: {points}; scripts that miss or double one", "", [lost], bar="none", met=not lost),
        Row(f"{name}: lines of error", "", [len(result["said"])], bar="none", met=not wrong, detail={"wrong": wrong}),
        Row(f"{name}: streams that ended", "", [result["ended"]], bar="none", met=result["ended"] == 0),
        *(
            Row(
                f"{name}: growth of the {part}'s memory",
                "MiB",
                [growth],
                bar=f"≤ {GROWTH:g} MiB",
                met=growth <= GROWTH,
            )
            for part, growth in result["growth"].items()
        ),
        Row(f"{name}: processors in use", "", [result["processors"]]),
        Row(f"{name}: server's memory at the end", "MiB", [result["memory"]]),
    ]


def _soaked(server: Server, database: list[int], minutes: float) -> Result:
    say(f"soak: {minutes:g} minutes")
    assert server.process is not None
    pids = [server.process.pid, *database]
    roots = {"server": [server.process.pid], **({"database": database} if database else {})}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        writers = [
            stack.enter_context(Child("benchmarks.soak:write", folder / str(number), **reaching(server)))
            for number in range(WRITERS)
        ]
        pool = stack.enter_context(ThreadPoolExecutor(WRITERS + 1))
        begun = list(pool.map(lambda child: child.call(seconds=0.0), writers))
        sessions = [result["session"] for result in begun]
        reading = stack.enter_context(Child("benchmarks.soak:read", folder / "readers"))
        project, shown = server.project_id(), sessions[:SHOWN]
        stack.enter_context(open_page(server, f"/projects/{project}?{'&'.join(f's={id_}' for id_ in shown)}"))
        path = f"/live?project_id={project}&{'&'.join(f'session={id_}' for id_ in shown)}"
        before, at = processor_time(*pids), time.monotonic()
        seconds = minutes * 60
        streams = pool.submit(reading.call, port=server.port, key=server.api_key, path=path, seconds=seconds)
        written = [pool.submit(child.call, seconds=seconds) for child in writers]
        memory: dict[str, list[tuple[float, float]]] = {name: [] for name in roots}
        while not all(call.done() for call in written):
            time.sleep(2.0)
            for name, root in roots.items():
                memory[name].append((time.monotonic() - at, _private_memory(root)))
        results = [call.result() for call in written]
        processors = (processor_time(*pids) - before) / (time.monotonic() - at)
        ended = streams.result()["ended"]
        missing = [line for result in results for line in _missing(server, result)]
        said = [line for child in writers for line in child.said().splitlines() if "watching at" not in line]
    said += [line for line in server.output.splitlines() if any(word in line.lower() for word in TROUBLE)]
    return {
        "points": sum(result["points"] for result in results),
        "missing": missing,
        "said": said,
        "ended": ended,
        "growth": {name: _growth(found, seconds) for name, found in memory.items()},
        "processors": processors,
        "memory": memory["server"][-1][1],
    }


def _missing(server: Server, result: Result) -> list[str]:
    """What of a script's points is not there exactly once."""
    found = sorted(server.points(result["graph"])["loss"]["x"])
    return (
        [] if found == list(range(result["points"])) else [f"{result['session']}: {len(found)} of {result['points']}"]
    )


def _growth(found: list[tuple[float, float]], seconds: float) -> float:
    """MiB from the settled to the last minutes: by medians, for memory breathes."""
    settled = min(SETTLED * 60, seconds * 0.4)
    early = [size for at, size in found if settled <= at <= settled + seconds / 6]
    late = [size for at, size in found if at >= seconds * 5 / 6]
    return median(late) - median(early)


def _private_memory(roots: list[int]) -> float:
    """MiB that processes and all that they started hold for themselves."""
    import psutil

    total = 0
    for root in roots:
        process = psutil.Process(root)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += one.memory_full_info().uss
    return total / MIB


# in a script's process


def write(seconds: float) -> Result:
    """First open a session; then log for so long."""
    session, graph = _run()
    if not seconds:
        return {"session": session.id}
    until, step = time.monotonic() + seconds, 1
    while time.monotonic() < until:
        for _ in range(AT_ONCE):
            graph.append(step, {"loss": 1 / (1 + step), "accuracy": step % 100 / 100})
            step += 1
        time.sleep(EVERY)
    if not session.flush(60.0):
        raise RuntimeError("the server did not acknowledge everything")
    return {"session": session.id, "graph": graph.id, "points": step}


def read(port: int, key: str, path: str, seconds: float) -> Result:
    """Open the streams and read them for so long; how many ended by then."""
    streams = selectors.DefaultSelector()
    for _ in range(READERS):
        stream = socket.create_connection(("127.0.0.1", port), timeout=30)
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {key}\r\n\r\n".encode())
        streams.register(stream, selectors.EVENT_READ)
    until = time.monotonic() + seconds
    while time.monotonic() < until and streams.get_map():
        for ready, _ in streams.select(1.0):
            assert isinstance(ready.fileobj, socket.socket)
            if not ready.fileobj.recv(65_536):
                streams.unregister(ready.fileobj)
    return {"ended": READERS - len(streams.get_map())}


_kept: list[Any] = []


def _run() -> tuple[Any, Any]:
    if not _kept:
        from losswise import Session

        session = Session("soak", track_git=False, command_line=False)
        _kept.extend((session, session.graph("loss")))
        _kept[1].append(0, {"loss": 1.0, "accuracy": 0.0})
        session.flush(60.0)
    return _kept[0], _kept[1]


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("soak",)))
