"""Points as a chart of some width needs them: all of them where they are few, else buckets with every extreme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, text

from . import pointstore, summaries
from .summaries import FACTOR, LEVELS, Bucket

EXACT_PER_PIXEL = 2
MIN_WIDTH, MAX_WIDTH = 10, 10_000

Columns = dict[str, list[Any]]


def series(
    connection: Connection, session_key: int, graph: int, x0: int | None, x1: int | None, width: int
) -> dict[str, Any]:
    """The series of a graph between x0 and x1 (inclusive; None: to its end) for a chart of `width` pixels.

    Returns {"exact": True, "series": {name: {"x", "t", "y"}}} with every point where there are at most two a
    pixel, else {"exact": False, "series": {name: {"x", "t", "min", "max", "mean", "nan", "inf"}}} with between
    width / 2 and width buckets where the data has them; x and t are those of a bucket's first point.
    """
    window = _window(connection, session_key, graph, x0, x1, EXACT_PER_PIXEL * width)
    if window is None:
        return {"exact": True, "series": {}}
    x0, x1, few = window
    if few:
        points = pointstore.select(connection, session_key, graph, "AND x BETWEEN :x0 AND :x1", x0=x0, x1=x1)
        return {"exact": True, "series": _exact_columns(points)}
    pieces = _pieces(connection, session_key, graph, x0, x1, width)
    return {"exact": False, "series": _bucket_columns(_join(pieces, x0, x1, width))}


def _window(
    connection: Connection, session_key: int, graph: int, x0: int | None, x1: int | None, most: int
) -> tuple[int, int, bool] | None:
    """First and last x that the window holds, and whether it has at most `most` points; None if it has none."""
    conditions = "session_key = :session_key AND graph = :graph"
    bound: dict[str, Any] = {"session_key": session_key, "graph": graph, "most": most + 1}
    if x0 is not None:
        conditions, bound["x0"] = conditions + " AND x >= :x0", x0
    if x1 is not None:
        conditions, bound["x1"] = conditions + " AND x <= :x1", x1
    # two subqueries: SQLite finds either end in the index, but scans for both at once
    ends = f"""SELECT (SELECT min(x) FROM points WHERE {conditions}),
                      (SELECT max(x) FROM points WHERE {conditions}),
                      (SELECT count(*) FROM (SELECT 1 FROM points WHERE {conditions} LIMIT :most) AS few)"""
    first, last, count = connection.execute(text(ends), bound).one()
    return None if first is None else (first, last, count <= most)


def _exact_columns(points: Iterator[tuple[int, int, float, dict[str, Any]]]) -> dict[str, Columns]:
    result: dict[str, Columns] = {}
    for x, _, t, y in points:
        for name, value in y.items():
            columns = result.get(name)
            if columns is None:
                columns = result[name] = {"x": [], "t": [], "y": []}
            columns["x"].append(x)
            columns["t"].append(t)
            columns["y"].append(value)
    return result


def _pieces(connection: Connection, session_key: int, graph: int, x0: int, x1: int, width: int) -> Iterator[Bucket]:
    """Buckets, each as coarse as the width allows, that together hold every point from x0 to x1.

    In the middle those of the coarsest level, at the edges and in the open tail ever finer ones, at last points.
    """
    level = 0
    while level < LEVELS and FACTOR ** (level + 1) * width <= x1 - x0 + 1:
        level += 1
    greatest = _greatest(connection, session_key, graph)
    yield from _descend(connection, session_key, graph, x0, x1, level, greatest)


def _greatest(connection: Connection, session_key: int, graph: int) -> int:
    query = text("SELECT max(x) FROM points WHERE session_key = :session_key AND graph = :graph")
    return int(connection.execute(query, {"session_key": session_key, "graph": graph}).scalar() or 0)


def _descend(
    connection: Connection, session_key: int, graph: int, x0: int, x1: int, level: int, greatest: int
) -> Iterator[Bucket]:
    if x0 > x1:
        return
    if level == 0:
        for _, bucket in summaries.from_points(connection, session_key, graph, x0, x1, 1):
            yield bucket
        return
    size = FACTOR**level
    first = -(-x0 // size)
    last = min((x1 + 1) // size, greatest // size) - 1
    if first > last:
        yield from _descend(connection, session_key, graph, x0, x1, level - 1, greatest)
        return
    yield from _descend(connection, session_key, graph, x0, first * size - 1, level - 1, greatest)
    for _, bucket in summaries.read(connection, session_key, graph, level, first, last):
        yield bucket
    yield from _descend(connection, session_key, graph, (last + 1) * size, x1, level - 1, greatest)


def _join(pieces: Iterator[Bucket], x0: int, x1: int, width: int) -> list[Bucket]:
    """Neighbouring pieces joined into at most `width` buckets of equal spans of x."""
    span = x1 - x0 + 1
    joined: list[Bucket] = []
    current = -1
    for piece in pieces:
        place = (piece.x - x0) * width // span
        if place != current:
            current = place
            joined.append(Bucket(piece.x, piece.t))
        joined[-1].merge(piece)
    return joined


def _bucket_columns(buckets: list[Bucket]) -> dict[str, Columns]:
    result: dict[str, Columns] = {}
    for bucket in buckets:
        for name, (count, low, _, high, _, total, nan, inf) in bucket.cells.items():
            columns = result.get(name)
            if columns is None:
                columns = result[name] = {column: [] for column in ("x", "t", "min", "max", "mean", "nan", "inf")}
            columns["x"].append(bucket.x)
            columns["t"].append(bucket.t)
            columns["min"].append(low)
            columns["max"].append(high)
            columns["mean"].append(total / count if count else None)
            columns["nan"].append(nan)
            columns["inf"].append(inf)
    return result
