"""The points of a session that have arrived lately, of all graphs that have any, with two queries.

The index of the points is on their x, so they are looked for between the lowest and the highest x of the new ones: the
work grows with what lies there, and not with the length of the graphs or their number.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import BigInteger, Connection, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import Executable

from ..db.engine import is_sqlite
from ..db.models import Graph
from .columns import NUMBER, has_value, json_values

# New points are looked for among at most this many points of their graph, and of all graphs: they may lie far apart, or
# share a step with a thousand others.
MAX_SCANNED_POINTS = 4_000
MAX_SCANNED_IN_ALL = 20_000

Columns = dict[str, dict[str, list[Any]]]


class Found(NamedTuple):
    """The new points of a graph.

    Attributes:
        graph: its id.
        series: columns x, y, t and n (the sequence number) of each metric, by x; None if there are too many.
    """

    graph: str
    series: Columns | None


class _Place(NamedTuple):
    """A graph, and how many points have an x between those of the new ones: at most one more than are searched."""

    number: int
    id: str
    names: list[str]
    name_sets: list[list[int]]
    scanned: int


class _Row(NamedTuple):
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
    places = _places(connection, session_key, ranges)
    searched: dict[int, tuple[int, int]] = {}
    left = MAX_SCANNED_IN_ALL
    for place in places:
        if place.scanned <= min(MAX_SCANNED_POINTS, left):
            searched[place.number] = ranges[place.number]
            left -= place.scanned
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
        Found(place.id, _series(place, points.get(place.number, []), values) if place.number in whole else None)
        for place in places
    ]


def _places(connection: Connection, session_key: int, ranges: Mapping[int, tuple[int, int]]) -> list[_Place]:
    statement = _PLACES[is_sqlite(connection)]
    bound = {"session_key": session_key, "max_scanned": MAX_SCANNED_POINTS + 1}
    rows = connection.execute(statement, {**bound, **_bound_ranges(connection, ranges)}).all()
    return [_Place(*row) for row in rows]


def _points(
    connection: Connection, session_key: int, ranges: Mapping[int, tuple[int, int]], sequences: tuple[int, int]
) -> dict[int, list[_Row]]:
    """The rows of new points by the number of their graph, by x and in order of arrival where x is equal."""
    first, next_ = sequences
    statement = _POINTS[is_sqlite(connection)]
    bound = {"session_key": session_key, "first": first, "next": next_, **_bound_ranges(connection, ranges)}
    points: dict[int, list[_Row]] = defaultdict(list)
    for number, *row in connection.execute(statement, bound).all():
        points[number].append(_Row(*row))
    for rows in points.values():
        rows.sort(key=lambda row: (row.x, row.sequence))
    return points


def _values(packed: list[bytes]) -> Iterator[float | str | None]:
    """The values of rows one after the other, as the API's JSON has them; None where there is none."""
    column = np.frombuffer(b"".join(packed), dtype=NUMBER)
    present = has_value(column)
    known = iter(json_values(column[present]))
    return (next(known) if is_there else None for is_there in present.tolist())


def _series(place: _Place, rows: list[_Row], values: Iterator[float | str | None]) -> Columns:
    """The columns of a graph. Takes the values of the rows from `values`."""
    series: Columns = {}
    for row in rows:
        for number in place.name_sets[row.name_set]:
            value = next(values)
            if value is not None:
                columns = series.setdefault(place.names[number], {"x": [], "y": [], "t": [], "n": []})
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


def _statements(sql: str, **types: Any) -> dict[bool, Executable]:
    """The statement for SQLite (True) and PostgreSQL (False), with the types of columns that need one."""
    arrays = [bindparam(name, type_=ARRAY(BigInteger)) for name in ("numbers", "lowest", "highest")]
    on_postgresql = text(_POSTGRESQL_RANGES + sql).bindparams(*arrays)
    return {True: text(_SQLITE_RANGES + sql).columns(**types), False: on_postgresql.columns(**types)}


# CROSS JOIN makes SQLite read the ranges first.
_PLACES = _statements(
    f"""
    SELECT graphs.number, graphs.id, graphs.names, graphs.name_sets,
        (SELECT count(*) FROM (SELECT 1 FROM points WHERE {_WITHIN} LIMIT :max_scanned) AS scanned) AS scanned
    FROM place CROSS JOIN graphs
    WHERE graphs.session_key = :session_key AND graphs.number = place.number
    ORDER BY graphs.number
    """,
    **{column.name: column.type for column in Graph.__table__.c if column.name in ("number", "id", "names", "name_sets")},
    scanned=BigInteger,
)
_POINTS = _statements(
    f"""
    SELECT points.graph, points.x, points.sequence, points.t, points.name_set, points.y
    FROM place CROSS JOIN points
    WHERE {_WITHIN} AND points.sequence >= :first AND points.sequence < :next
    """
)
