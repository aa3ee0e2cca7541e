"""Points a second into the store: real clients that append as fast as they can, until everything is acknowledged.

A point is a step with two scalars. Beside it stands what the database alone takes of the same rows, into the same
table and index, on one connection and with nothing to encode: COPY on PostgreSQL, executemany on SQLite, a commit each
5,000. Processor time is that of all processes, from before the first append to the last acknowledgement.
"""

from __future__ import annotations

import contextlib
import io
import sqlite3
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.support.measuring import (
    Child,
    Result,
    column,
    interleaved,
    processor_time,
    reaching,
    running_postgres,
    running_server,
    temporary_folder,
)
from benchmarks.support.report import Row

if TYPE_CHECKING:
    from tests.support.server import Server

CLIENTS = (1, 4)
FASTEST, PROCESSOR, SHARE = 100_000, 20.0, 1 / 3
COMMIT_EACH = 5_000
UNUSED_SESSION_KEY = 2_000_000_000
"""The key of a session that does not exist; the raw rows are stored under it."""


class _Database(NamedTuple):
    """A database's processes beside the server's own, and how many bytes it has in use."""

    pids: list[int]
    size: Callable[[], int]


def run(quick: bool) -> list[Row]:
    points, repeats = (20_000, 2) if quick else (1_000_000, 5)
    with running_server() as server:
        path = server.data_dir / "losswise.db"
        sqlite = _Database([], lambda: _sqlite_bytes(path))
        rows = _measured("SQLite", server, sqlite, lambda bodies: _executemany(path, bodies), points, repeats)
    with running_postgres() as postgres:
        url = postgres.new_database()
        with running_server(database_url=url) as server:
            database = _Database([postgres.pid], lambda: _postgres_bytes(url))
            rows += _measured("PostgreSQL", server, database, lambda bodies: _copy(url, bodies), points, repeats)
    return rows


def _measured(
    name: str, server: Server, database: _Database, raw: Callable[[Any], float], points: int, repeats: int
) -> list[Row]:
    cases: dict[str, Callable[[], Result]] = {
        f"{count} clients": lambda count=count: _load(server, database, count, points // count)  # type: ignore[misc]
        for count in CLIENTS
    }
    limit = "COPY" if database.pids else "executemany"
    bodies = _bodies(points, bool(database.pids))
    cases[limit] = lambda: {"rate": points / raw(bodies)}
    found = interleaved(f"ingest into {name}", cases, repeats)
    rows = []
    for count in CLIENTS:
        ours = found[f"{count} clients"]
        rates, all_in_all = column(ours, "rate"), column(ours, "processor")
        title = f"{name}, {count} client{'s' if count > 1 else ''}"
        share = median(rates) / median(column(found[limit], "rate"))
        bar, met = ("", None) if count == 1 else (f"≥ {FASTEST:,}", median(rates) >= FASTEST)
        rows.append(Row(f"{title}: points a second", "", rates, bar=bar, met=met, detail={"runs": ours}))
        raw_rates = column(found[limit], "rate")
        bar, met = ("", None) if count == 1 else ("ratio ≥ 1/3", share >= SHARE)
        rows.append(Row(f"{title}: beside the database alone", "", rates, limit, raw_rates, bar, met))
        rows.append(
            Row(
                f"{title}: processor a point, all in all",
                "µs",
                all_in_all,
                bar=f"≤ {PROCESSOR:g} µs",
                met=median(all_in_all) <= PROCESSOR,
            )
        )
        for part in ("clients", "server", "database"):
            if part != "database" or database.pids:
                rows.append(Row(f"{title}: of that, {part}", "µs", column(ours, part)))
    sizes = [result["bytes"] for count in CLIENTS for result in found[f"{count} clients"]]
    rows.append(Row(f"{name}: on disk, a point with its index and summaries", "bytes", sizes))
    return rows


def _load(server: Server, database: _Database, clients: int, points: int) -> Result:
    """So many clients at once, each with a process and a session of its own."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        children = [
            stack.enter_context(Child("benchmarks.ingest:append", folder / str(number), **reaching(server)))
            for number in range(clients)
        ]
        pool = stack.enter_context(ThreadPoolExecutor(clients))
        list(pool.map(lambda child: child.call(points=0), children))
        assert server.process is not None
        serving, storing = processor_time(server.process.pid), processor_time(*database.pids)
        size = database.size()
        start = time.time() + 0.2
        results = list(pool.map(lambda child: child.call(points=points, start=start), children))
        seconds = max(result["ended"] for result in results) - start
        total = clients * points
        serving = processor_time(server.process.pid) - serving
        storing = processor_time(*database.pids) - storing
        for result in results:
            stored = server.session(result["session"])["points"]
            if stored != points:
                raise RuntimeError(f"{stored:,} of {points:,} points are there")
    sending = sum(result["processor"] for result in results)
    return {
        "rate": total / seconds,
        "processor": (sending + serving + storing) / total * 1e6,
        "clients": sending / total * 1e6,
        "server": serving / total * 1e6,
        "database": storing / total * 1e6,
        "bytes": (database.size() - size) / total,
    }


# in a client's process


def append(points: int, start: float = 0.0) -> Result:
    """Append so many points from `start` on and wait until they are acknowledged."""
    session, graph = _run()
    if not points:
        if not session.flush(60.0):
            raise RuntimeError("the server does not answer")
        return {}
    time.sleep(max(0.0, start - time.time()))
    processor, loss = time.process_time(), 0.5
    for step in range(points):
        graph.append(step, {"train_loss": loss, "val_loss": loss * 1.1})
        loss *= 0.999999
    if not session.flush(600.0):
        raise RuntimeError("the server did not acknowledge everything")
    return {"ended": time.time(), "processor": time.process_time() - processor, "session": session.id}


_kept: list[Any] = []


def _run() -> tuple[Any, Any]:
    if not _kept:
        from losswise import Session

        session = Session("ingest", track_git=False, command_line=False)
        _kept.extend((session, session.graph("loss")))
    return _kept[0], _kept[1]


# the database alone


def _bodies(points: int, copy: bool) -> list[Any]:
    """The rows as the database takes them, 5,000 each."""
    import numpy as np
    from losswise_server.points import store

    x: Any = np.arange(points, dtype=np.int64)
    values = 0.5 * 0.999999**x
    made = store.StoredBatch(1, 0, 0, x, 1.7e9 + x / 1e4, [values, values * 1.1])
    parts = [slice(start, min(start + COMMIT_EACH, points)) for start in range(0, points, COMMIT_EACH)]
    if copy:
        return [store.copy_body([store.copy_rows(UNUSED_SESSION_KEY, made, part)]) for part in parts]
    return [store.sqlite_rows(UNUSED_SESSION_KEY, made, part) for part in parts]


def _copy(url: str, bodies: list[bytes]) -> float:
    import psycopg2
    from losswise_server.points.store import COPY

    connection = psycopg2.connect(url)
    try:
        started = time.perf_counter()
        for body in bodies:
            with connection, connection.cursor() as cursor:
                cursor.copy_expert(COPY, io.BytesIO(body))
        return time.perf_counter() - started
    finally:
        connection.close()


def _sqlite_bytes(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        asked = ("page_count", "freelist_count", "page_size")
        pages, free, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked)
        return int((pages - free) * size)
    finally:
        connection.close()


def _postgres_bytes(url: str) -> int:
    import psycopg2

    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_total_relation_size('points') + pg_total_relation_size('summaries')")
            row = cursor.fetchone()
            assert row is not None
            return int(row[0])
    finally:
        connection.close()


def _executemany(path: Path, bodies: list[Any]) -> float:
    from losswise_server.points.store import INSERT

    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        connection.execute("PRAGMA synchronous = NORMAL")
        started = time.perf_counter()
        for rows in bodies:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, rows)
            connection.execute("COMMIT")
        return time.perf_counter() - started
    finally:
        connection.close()


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("ingest",)))
