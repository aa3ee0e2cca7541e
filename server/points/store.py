"""Points in the database: rows in by COPY on PostgreSQL and by executemany on SQLite, rows out as columns.

A row packs the values of one place; `form` says whose they are (see models.points).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, bindparam, text
from sqlalchemy import select as query

from ..db.engine import is_sqlite
from ..db.models import Graph
from .columns import MISSING, NUMBER, Columns, has_value, json_values

COLUMNS = "x, sequence, t, session_key, graph, name_set, y"
INSERT = f"INSERT INTO points ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
COPY = f"COPY points ({COLUMNS}) FROM STDIN WITH (FORMAT binary)"
COPY_BYTES = 8 * 1024 * 1024
VALUES_AT_ONCE = 1_000_000
"""A record's values are packed in pieces of so many."""


class Points(NamedTuple):
    """Points of one graph to be stored: the first's number of arrival, their form, its columns in its order."""

    graph: int
    first_arrival: int
    form: int
    x: np.ndarray
    t: np.ndarray
    values: Sequence[np.ndarray | None]


class Row(NamedTuple):
    """A stored point: x, number of arrival, time, and {name: value} as JSON has it."""

    x: int
    arrival: int
    t: float
    y: dict[str, float | str]


# in


def insert(connection: Connection, session_key: int, points: Iterable[Points]) -> None:
    """Store points. The connection is in a transaction that writes."""
    pieces = ((piece, part) for piece in points for part in _parts(piece))
    cursor = connection.connection.cursor()
    if is_sqlite(connection):
        for piece, part in pieces:
            cursor.executemany(INSERT, sqlite_rows(session_key, piece, part))
    else:
        rows: list[bytes] = []
        for piece, part in pieces:
            rows.append(copy_rows(session_key, piece, part))
            if sum(map(len, rows)) >= COPY_BYTES:
                _copy(cursor, rows)
        _copy(cursor, rows)
    cursor.close()


def _parts(piece: Points) -> Iterator[slice]:
    step = max(1, VALUES_AT_ONCE // max(1, len(piece.values)))
    for start in range(0, len(piece.x), step):
        yield slice(start, min(start + step, len(piece.x)))


def _copy(cursor: Any, rows: list[bytes]) -> None:
    """Copy rows, and forget them: a batch of many graphs is one command."""
    if rows:
        cursor.copy_expert(COPY, io.BytesIO(copy_body(rows)))
        rows.clear()


def _packed(piece: Points, part: slice) -> np.ndarray:
    """The values as rows of little-endian float64."""
    packed = np.empty((part.stop - part.start, len(piece.values)), dtype=NUMBER)
    for place, column in enumerate(piece.values):
        packed[:, place] = MISSING if column is None else column[part]
    return packed


def sqlite_rows(session_key: int, piece: Points, part: slice) -> list[tuple[Any, ...]]:
    width = len(piece.values) * NUMBER.itemsize
    packed = _packed(piece, part).tobytes()
    columns = (
        piece.x[part].tolist(),
        range(piece.first_arrival + part.start, piece.first_arrival + part.stop),
        piece.t[part].tolist(),
        repeat(session_key),
        repeat(piece.graph),
        repeat(piece.form),
        [packed[at : at + width] for at in range(0, len(packed), width)],
    )
    return list(zip(*columns, strict=False))  # the repeats do not end


# PostgreSQL's binary COPY: a signature, flags, the length of an extension; each row is the number of its fields, then
# for each field its length and its bytes, big-endian; -1 ends it. (PostgreSQL's documentation, COPY, Binary Format.)
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_FIELDS = (
    ("x", ">i8"),
    ("sequence", ">i8"),
    ("t", ">f8"),
    ("session_key", ">i4"),
    ("graph", ">i4"),
    ("name_set", ">i4"),
)


def copy_body(rows: Iterable[bytes]) -> bytes:
    """What COPY reads: rows, which may be of several graphs."""
    return b"".join((_COPY_HEAD, *rows, _COPY_END))


def copy_rows(session_key: int, piece: Points, part: slice) -> bytes:
    packed = _packed(piece, part)
    width = packed.shape[1] * NUMBER.itemsize
    layout: list[tuple[str, str] | tuple[str, str, int]] = [("fields", ">i2")]
    for name, kind in _FIELDS:
        layout += [(f"{name}_length", ">i4"), (name, kind)]
    layout += [("y_length", ">i4"), ("y", "u1", width)]
    rows: np.ndarray = np.empty(len(packed), dtype=layout)
    rows["fields"] = len(_FIELDS) + 1
    for name, kind in _FIELDS:
        rows[f"{name}_length"] = np.dtype(kind).itemsize
    rows["x"], rows["t"] = piece.x[part], piece.t[part]
    rows["sequence"] = np.arange(piece.first_arrival + part.start, piece.first_arrival + part.stop)
    rows["session_key"], rows["graph"], rows["name_set"] = session_key, piece.graph, piece.form
    rows["y_length"] = width
    rows["y"] = packed.view(np.uint8).reshape(len(packed), width)
    return rows.tobytes()


# out


class Lines(NamedTuple):
    """A graph's names and forms, as its row has them."""

    names: list[str]
    forms: list[list[int]]


@dataclass(frozen=True)
class Place:
    """Where a graph's points and summaries are: the session's key, the graph's number, its names and forms."""

    connection: Connection
    session_key: int
    graph: int
    lines: Lines

    @property
    def key(self) -> dict[str, int]:
        """What OF_GRAPH compares with."""
        return {"session_key": self.session_key, "graph": self.graph}


OF_GRAPH = "session_key = :session_key AND graph = :graph"


def place_of(connection: Connection, session_key: int, graph: int) -> Place:
    return places_of(connection, [(session_key, graph)])[session_key, graph]


def places_of(connection: Connection, graphs: list[tuple[int, int]]) -> dict[tuple[int, int], Place]:
    """Graphs' places by (session key, number); without names for a graph that is not there."""
    found = dict.fromkeys(graphs, Lines([], []))
    for row in connection.execute(_LINES, {"keys": list({key for key, _ in graphs})}):
        if (row.session_key, row.number) in found:
            found[row.session_key, row.number] = Lines(row.names, row.name_sets)
    return {(key, number): Place(connection, key, number, lines) for (key, number), lines in found.items()}


_LINES = query(Graph.session_key, Graph.number, Graph.names, Graph.name_sets).where(
    Graph.session_key.in_(bindparam("keys", expanding=True))
)


def read(place: Place, where: str = "", tail: str = "", **bound: Any) -> tuple[np.ndarray, Columns]:
    """(arrival, columns) of a graph's points, by x and by arrival where x is equal."""
    rows = _select(place, where, tail, bound).all()
    if not rows:
        return np.empty(0, dtype=np.int64), Columns(np.empty(0, dtype=np.int64), np.empty(0), {})
    x, arrival, t, forms, packed = zip(*rows, strict=True)
    form_of = np.array(forms)
    columns: dict[str, np.ndarray] = {}
    for form in np.unique(form_of):
        places = np.flatnonzero(form_of == form)
        values = np.frombuffer(b"".join([packed[at] for at in places]), dtype=NUMBER).reshape(len(places), -1)
        for name, column in zip(place.lines.forms[form], values.T, strict=True):
            if place.lines.names[name] not in columns:
                columns[place.lines.names[name]] = np.full(len(rows), MISSING)
            columns[place.lines.names[name]][places] = column
    return np.array(arrival, dtype=np.int64), Columns(np.array(x, dtype=np.int64), np.array(t), columns)


def select(place: Place, where: str = "", tail: str = "", **bound: Any) -> Iterator[Row]:
    """A graph's points, by x and by arrival where x is equal."""
    names, forms = place.lines
    for x, arrival, t, form, packed in _select(place, where, tail, bound):
        values = np.frombuffer(packed, dtype=NUMBER)
        kept = has_value(values)
        found = (names[name] for name, is_there in zip(forms[form], kept, strict=True) if is_there)
        yield Row(x, arrival, t, dict(zip(found, json_values(values[kept]), strict=True)))


def _select(place: Place, where: str, tail: str, bound: dict[str, Any]) -> Any:
    words = f"SELECT x, sequence, t, name_set, y FROM points WHERE {OF_GRAPH} {where} ORDER BY x, sequence {tail}"
    return place.connection.execute(text(words), {**place.key, **bound})
