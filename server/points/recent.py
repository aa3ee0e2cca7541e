"""The points of a session that have arrived lately, of all graphs that have any, with a few queries.

The index of the points is on their x, so they are looked for between the lowest and the highest x of the new ones: the
work grows with what lies there, and not with the length of the graphs or their number.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import BigInteger, Connection, Row, Select, TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from ..db.engine import is_sqlite
from ..db.many_rows import is_among
from ..db.models import Graph
from .columns import NUMBER, has_value, json_values

# New points are looked for among at most this many points of their graph, and of all graphs: they may lie far apart, or
# share a step with a thousand others.
MAX_SCANNED_POINTS = 4_000
MAX_SCANNED_IN_ALL = 20_000

_graph_columns = Graph.__table__.c

Columns = dict[str, dict[str, list[Any]]]


class Found(NamedTuple):
    """The new points of a graph.

    Attributes:
        graph: its id.
        series: columns x, y, t and n (the sequence number) of each metric, by x; None if there are too many.
    """

    graph: str
    series: Columns | None


class _Point(NamedTuple):
    x: int
    sequence: int
    t: float
    name_set: int
    y: bytes


def read(
    connection: Connection,
    session_key: int,
    ranges: Mapping[int, tuple[int, int]],
    sequences: tuple[int, int],
    max_points: int,
    max_in_all: int,
) -> list[Found]:
    """The points with first <= sequence number < next.

    Args:
        connection: of `db.engine.reading(in_order=True)`.
        ranges: by the numbers of the graphs that have such points: their lowest and highest x. Graphs that do not exist
            are left out of the result.
        sequences: (first, next).
        max_points, max_in_all: how many of a graph, and of all graphs, are returned; a graph with more has none.
    """
    if not ranges:
        return []
    graphs = {row.number: row for row in connection.execute(_graphs(connection, session_key, ranges))}
    scanned = _scanned(connection, session_key, ranges)
    searched: dict[int, tuple[int, int]] = {}
    left = MAX_SCANNED_IN_ALL
    for number in graphs:
        if scanned[number] <= min(MAX_SCANNED_POINTS, left):
            searched[number] = ranges[number]
            left -= scanned[number]
    points = _points(connection, session_key, searched, sequences) if searched else {}
    whole: set[int] = set()
    for number in searched:
        count = len(points.get(number, ()))
        if count <= min(max_points, max_in_all):
            whole.add(number)
            max_in_all -= count
    # unpacked together: NumPy takes as long for five hundred graphs as for one
    values = _values([row.y for number in searched if number in whole for row in points.get(number, ())])
    return [
        Found(graph.id, _series(graph, points.get(number, []), values) if number in whole else None)
        for number, graph in graphs.items()
    ]


def _graphs(connection: Connection, session_key: int, numbers: Iterable[int]) -> Select[Any]:
    of_session = _graph_columns.session_key == session_key
    among = is_among(connection, _graph_columns.number, list(numbers))
    columns = [_graph_columns[name] for name in ("number", "id", "names", "name_sets")]
    return select(*columns).where(of_session, among).order_by(_graph_columns.number)


def _scanned(connection: Connection, session_key: int, ranges: Mapping[int, tuple[int, int]]) -> dict[int, int]:
    """How many points of each graph are in its range; of many, one more than are searched."""
    statement = _COUNTS[is_sqlite(connection)]
    bound = {"session_key": session_key, "max_scanned": MAX_SCANNED_POINTS + 1, **_bound_ranges(connection, ranges)}
    return dict(connection.execute(statement, bound).all())


def _points(
    connection: Connection, session_key: int, ranges: Mapping[int, tuple[int, int]], sequences: tuple[int, int]
) -> dict[int, list[_Point]]:
    """The rows of new points by the number of their graph, by x and in order of arrival where x is equal."""
    first, next_ = sequences
    statement = _POINTS[is_sqlite(connection)]
    bound = {"session_key": session_key, "first": first, "next": next_, **_bound_ranges(connection, ranges)}
    points: dict[int, list[_Point]] = defaultdict(list)
    for number, *row in connection.execute(statement, bound).all():
        points[number].append(_Point(*row))
    for rows in points.values():
        rows.sort(key=lambda row: (row.x, row.sequence))
    return points


def _values(packed: list[bytes]) -> Iterator[float | str | None]:
    """The values of rows one after the other, as the API's JSON has them; None where there is none."""
    column = np.frombuffer(b"".join(packed), dtype=NUMBER)
    present = has_value(column)
    known = iter(json_values(column[present]))
    return (next(known) if is_there else None for is_there in present.tolist())


def _series(graph: Row[Any], rows: list[_Point], values: Iterator[float | str | None]) -> Columns:
    """The columns of a graph. Takes the values of the rows from `values`."""
    series: Columns = {}
    for row in rows:
        for number in graph.name_sets[row.name_set]:
            value = next(values)
            if value is not None:
                columns = series.setdefault(graph.names[number], {"x": [], "y": [], "t": [], "n": []})
                columns["x"].append(row.x)
                columns["y"].append(value)
                columns["t"].append(row.t)
                columns["n"].append(row.sequence)
    return series


def _bound_ranges(connection: Connection, ranges: Mapping[int, tuple[int, int]]) -> dict[str, Any]:
    if is_sqlite(connection):
        return {"ranges": json.dumps([[number, *ends] for number, ends in ranges.items()])}
    lowest, highest = zip(*ranges.values(), strict=True)
    return {"numbers": list(ranges), "lowest": list(lowest), "highest": list(highest)}


_SQLITE_RANGES = """
    WITH place(number, lowest, highest) AS (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
        FROM json_each(:ranges)
    )
"""
_POSTGRESQL_RANGES = "WITH place(number, lowest, highest) AS (SELECT * FROM unnest(:numbers, :lowest, :highest))"
_WITHIN = """
    points.session_key = :session_key AND points.graph = place.number
    AND points.x BETWEEN place.lowest AND place.highest
"""


def _statements(sql: str) -> dict[bool, TextClause]:
    """The statement for SQLite (True) and PostgreSQL (False)."""
    arrays = [bindparam(name, type_=ARRAY(BigInteger)) for name in ("numbers", "lowest", "highest")]
    return {True: text(_SQLITE_RANGES + sql), False: text(_POSTGRESQL_RANGES + sql).bindparams(*arrays)}


_COUNTS = _statements(
    f"""
    SELECT place.number, (SELECT count(*) FROM (SELECT 1 FROM points WHERE {_WITHIN} LIMIT :max_scanned) AS scanned)
    FROM place
    """
)
# CROSS JOIN makes SQLite read the ranges first.
_POINTS = _statements(
    f"""
    SELECT points.graph, points.x, points.sequence, points.t, points.name_set, points.y
    FROM place CROSS JOIN points
    WHERE {_WITHIN} AND points.sequence >= :first AND points.sequence < :next
    """
)
