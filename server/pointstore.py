"""Points in the database: rows in, rows out. COPY on PostgreSQL, executemany on SQLite."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, text

from .database import is_sqlite

# session_key, graph, x, arrival, t, y as JSON text
Row = tuple[int, int, int, int, float, str]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, float | str]).decode


def rows_of(
    session_key: int,
    graph: int,
    first_arrival: int,
    x: Sequence[int],
    t: Sequence[float],
    y: Mapping[str, Sequence[Any]],
) -> list[Row]:
    """Columns as rows. A place where no name has a value makes no row."""
    if not y:
        return []
    names = list(y)
    rows: list[Row] = []
    arrival = first_arrival
    for at, time, values in zip(x, t, zip(*y.values(), strict=True), strict=True):
        point = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if point:
            rows.append((session_key, graph, at, arrival, time, _encode(point).decode()))
            arrival += 1
    return rows


def insert(connection: Connection, rows: Sequence[Row]) -> None:
    if not rows:
        return
    cursor = connection.connection.cursor()
    if is_sqlite(connection):
        cursor.executemany("INSERT INTO points (session_key, graph, x, arrival, t, y) VALUES (?, ?, ?, ?, ?, ?)", rows)
    else:
        cursor.copy_expert(
            "COPY points (session_key, graph, x, arrival, t, y) FROM STDIN", io.StringIO(_copy_text(rows))
        )
    cursor.close()


def _copy_text(rows: Iterable[Row]) -> str:
    lines = [f"{key}\t{graph}\t{x}\t{arrival}\t{t!r}\t{_copy_escape(y)}\n" for key, graph, x, arrival, t, y in rows]
    return "".join(lines)


def _copy_escape(y: str) -> str:
    """JSON text has tabs and line ends escaped already; what remains is COPY's own escape character."""
    return y.replace("\\", "\\\\") if "\\" in y else y


def select(
    connection: Connection, session_key: int, graph: int, where: str = "", tail: str = "", **bound: Any
) -> Iterator[tuple[int, int, float, dict[str, Any]]]:
    """(x, arrival, t, {name: value}) of a graph's points, by x and by arrival where x is equal."""
    query = (
        "SELECT x, arrival, t, CAST(y AS TEXT) FROM points WHERE session_key = :session_key AND graph = :graph "
        f"{where} ORDER BY x, arrival {tail}"
    )
    rows = connection.execute(text(query), {"session_key": session_key, "graph": graph, **bound})
    for x, arrival, t, y in rows.yield_per(10_000):
        yield x, arrival, t, _decode(y)


def delete(connection: Connection, session_key: int, graph: int | None = None, where: str = "", **bound: Any) -> int:
    """Delete a session's points, or one graph's; returns how many."""
    only = "" if graph is None else "AND graph = :graph"
    query = text(f"DELETE FROM points WHERE session_key = :session_key {only} {where}")
    return connection.execute(query, {"session_key": session_key, "graph": graph, **bound}).rowcount
