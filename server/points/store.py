"""The table of points: insert by COPY on PostgreSQL and by executemany on SQLite, read as columns.

A row is one point: its x, time, sequence number and writer, and its values, packed as little-endian float64. Which
metric each value belongs to is said once per graph, not in every row: `name_set` is an index into the graph's
`name_sets`, whose entries list indices into the graph's `names`:

    graphs: names     = ["train_loss", "val_loss", "lr"]
            name_sets = [[0, 2], [0, 1, 2]]
    points: x = 7, name_set = 0, y = <train_loss, lr>
            x = 8, name_set = 1, y = <train_loss, val_loss, lr>

Packed rows take a third of the space of JSON, and NumPy makes them in bulk.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, bindparam, text
from sqlalchemy import select as query

from ..db.engine import is_sqlite
from ..db.models import Graph
from .columns import MISSING, NUMBER, PointColumns, has_value, json_values

COLUMNS = "x, sequence, t, session_key, graph, name_set, y, writer"
INSERT = f"INSERT INTO points ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
COPY = f"COPY points ({COLUMNS}) FROM STDIN WITH (FORMAT binary)"
MAX_COPY_BYTES = 8 * 1024 * 1024
# values of a batch that are packed at once, which bounds the memory for it
MAX_PACKED_VALUES = 1_000_000


class StoredBatch(NamedTuple):
    """Points of one graph that are to be stored.

    Attributes:
        graph: its number within the session.
        first_sequence: the sequence number of the first point; those of the others follow.
        name_set: which of the graph's name sets the points have.
        values: a column for each name of the set, in its order; None for one without any value.
        writer: the number of the points' writer; 0 if it is unknown.
    """

    graph: int
    first_sequence: int
    name_set: int
    x: np.ndarray
    t: np.ndarray
    values: Sequence[np.ndarray | None]
    writer: int = 0


class StoredPoint(NamedTuple):
    """A stored point; `y` is {name: value} as the API's JSON has it."""

    x: int
    sequence: int
    t: float
    y: dict[str, float | str]


# in


def insert(connection: Connection, session_key: int, batches: Iterable[StoredBatch]) -> None:
    """Store points. The connection is in a transaction that writes."""
    parts = ((batch, part) for batch in batches for part in _parts(batch))
    cursor = connection.connection.cursor()
    if is_sqlite(connection):
        all_rows: Any = chain.from_iterable(sqlite_rows(session_key, batch, part) for batch, part in parts)
        cursor.executemany(INSERT, all_rows)
    else:
        rows: list[bytes] = []
        size = 0
        for batch, part in parts:
            rows.append(copy_rows(session_key, batch, part))
            size += len(rows[-1])
            if size >= MAX_COPY_BYTES:
                _copy(cursor, rows)
                size = 0
        _copy(cursor, rows)
    cursor.close()


def _parts(batch: StoredBatch) -> Iterator[slice]:
    step = max(1, MAX_PACKED_VALUES // max(1, len(batch.values)))
    for start in range(0, len(batch.x), step):
        yield slice(start, min(start + step, len(batch.x)))


def _copy(cursor: Any, rows: list[bytes]) -> None:
    """Copy the rows in one command, whatever graphs they belong to, and clear the list."""
    if rows:
        cursor.copy_expert(COPY, io.BytesIO(copy_body(rows)))
        rows.clear()


def _packed(batch: StoredBatch, part: slice) -> np.ndarray:
    """The values as rows of little-endian float64."""
    packed = np.empty((part.stop - part.start, len(batch.values)), dtype=NUMBER)
    for index, column in enumerate(batch.values):
        packed[:, index] = MISSING if column is None else column[part]
    return packed


def sqlite_rows(session_key: int, batch: StoredBatch, part: slice) -> list[tuple[Any, ...]]:
    """Parameters for INSERT."""
    width = len(batch.values) * NUMBER.itemsize
    packed = _packed(batch, part).tobytes()
    columns = (
        batch.x[part].tolist(),
        range(batch.first_sequence + part.start, batch.first_sequence + part.stop),
        batch.t[part].tolist(),
        repeat(session_key),
        repeat(batch.graph),
        repeat(batch.name_set),
        [packed[start : start + width] for start in range(0, len(packed), width)],
        repeat(batch.writer),
    )
    return list(zip(*columns, strict=False))  # the repeats do not end


# PostgreSQL's binary COPY: a signature, flags, the length of an extension; each row is the number of its fields, then
# for each field its length and its bytes, big-endian; -1 ends it. (PostgreSQL's documentation, COPY, Binary Format.)
# All rows of a batch have the same layout, so a NumPy record array writes them without a loop over points.
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
    """Return the body of a COPY: rows, which may belong to several graphs."""
    return b"".join((_COPY_HEAD, *rows, _COPY_END))


def copy_rows(session_key: int, batch: StoredBatch, part: slice) -> bytes:
    """The rows of a part of the batch in the format of binary COPY."""
    packed = _packed(batch, part)
    width = packed.shape[1] * NUMBER.itemsize
    layout: list[tuple[str, str] | tuple[str, str, int]] = [("fields", ">i2")]
    for name, kind in _FIELDS:
        layout += [(f"{name}_length", ">i4"), (name, kind)]
    layout += [("y_length", ">i4"), ("y", "u1", width), ("writer_length", ">i4"), ("writer", ">i2")]
    rows: np.ndarray = np.empty(len(packed), dtype=layout)
    rows["fields"] = len(_FIELDS) + 2
    for name, kind in _FIELDS:
        rows[f"{name}_length"] = np.dtype(kind).itemsize
    rows["x"], rows["t"] = batch.x[part], batch.t[part]
    rows["sequence"] = np.arange(batch.first_sequence + part.start, batch.first_sequence + part.stop)
    rows["session_key"], rows["graph"], rows["name_set"] = session_key, batch.graph, batch.name_set
    rows["y_length"] = width
    rows["y"] = packed.view(np.uint8).reshape(len(packed), width)
    rows["writer_length"], rows["writer"] = 2, batch.writer
    return rows.tobytes()


# out


@dataclass(frozen=True)
class GraphRef:
    """Location of a graph's points and summaries: its session's key and its number, with its names and name sets."""

    connection: Connection
    session_key: int
    graph: int
    names: list[str]
    name_sets: list[list[int]]

    @property
    def key(self) -> dict[str, int]:
        """The parameters of OF_GRAPH."""
        return {"session_key": self.session_key, "graph": self.graph}


OF_GRAPH = "session_key = :session_key AND graph = :graph"


def graph_ref(connection: Connection, session_key: int, graph: int) -> GraphRef:
    return graph_refs(connection, [(session_key, graph)])[session_key, graph]


def graph_refs(connection: Connection, graphs: list[tuple[int, int]]) -> dict[tuple[int, int], GraphRef]:
    """References to graphs by (session key, number); without names for a graph that does not exist."""
    found: dict[tuple[int, int], tuple[list[str], list[list[int]]]] = dict.fromkeys(graphs, ([], []))
    for row in connection.execute(_NAMES, {"keys": list({key for key, _ in graphs})}):
        if (row.session_key, row.number) in found:
            found[row.session_key, row.number] = row.names, row.name_sets
    return {(key, number): GraphRef(connection, key, number, *names) for (key, number), names in found.items()}


_NAMES = query(Graph.session_key, Graph.number, Graph.names, Graph.name_sets).where(
    Graph.session_key.in_(bindparam("keys", expanding=True))
)


def read(ref: GraphRef, where: str = "", tail: str = "", **bound: Any) -> tuple[np.ndarray, PointColumns]:
    """(sequence numbers, columns) of a graph's points, by x and in order of arrival where x is equal.

    Args:
        where: SQL that is added to the condition, such as "AND x > :x"; its parameters are in `bound`.
        tail: SQL after ORDER BY, such as "LIMIT 10".
    """
    rows = _select(ref, where, tail, bound).all()
    if not rows:
        return np.empty(0, dtype=np.int64), PointColumns(np.empty(0, dtype=np.int64), np.empty(0), {})
    x, sequence, t, name_sets, packed = zip(*rows, strict=True)
    set_of = np.array(name_sets)
    columns: dict[str, np.ndarray] = {}
    for name_set in np.unique(set_of):
        indices = np.flatnonzero(set_of == name_set)
        values = np.frombuffer(b"".join([packed[index] for index in indices]), dtype=NUMBER)
        for number, column in zip(ref.name_sets[name_set], values.reshape(len(indices), -1).T, strict=True):
            name = ref.names[number]
            if name not in columns:
                columns[name] = np.full(len(rows), MISSING)
            columns[name][indices] = column
    return np.array(sequence, dtype=np.int64), PointColumns(np.array(x, dtype=np.int64), np.array(t), columns)


def read_values(ref: GraphRef, x0: int, x1: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(name, x, column) of a graph's points from x0 to x1 (inclusive), in any order, a name once for each of its sets.

    It takes a fraction of what `read` takes: PostgreSQL joins the rows, SQLite's come without SQLAlchemy, which takes
    longer for each than the database.
    """
    where = OF_GRAPH + " AND x BETWEEN :x0 AND :x1"
    bound = {**ref.key, "x0": x0, "x1": x1}
    if is_sqlite(ref.connection):
        with closing(ref.connection.connection.cursor()) as cursor:
            rows = cursor.execute(f"SELECT name_set, x, y FROM points WHERE {where}", bound).fetchall()
        sets = {name_set: [row for row in rows if row[0] == name_set] for name_set in {row[0] for row in rows}}
        joined = [
            (name_set, np.array([row[1] for row in found], dtype=np.int64), b"".join([row[2] for row in found]))
            for name_set, found in sets.items()
        ]
    else:
        query = f"""SELECT name_set, string_agg(int8send(x), CAST('' AS bytea)), string_agg(y, CAST('' AS bytea))
                    FROM points WHERE {where} GROUP BY name_set"""
        rows = ref.connection.execute(text(query), bound).all()
        joined = [(name_set, np.frombuffer(x, dtype=">i8").astype(np.int64), y) for name_set, x, y in rows]
    for name_set, x, packed in joined:
        values = np.frombuffer(packed, dtype=NUMBER).reshape(len(x), -1)
        for number, column in zip(ref.name_sets[name_set], values.T, strict=True):
            yield ref.names[number], x, column


def select(ref: GraphRef, where: str = "", tail: str = "", **bound: Any) -> Iterator[StoredPoint]:
    """A graph's points one by one, in the order of `read` and with its arguments."""
    for x, sequence, t, name_set, packed in _select(ref, where, tail, bound):
        values = np.frombuffer(packed, dtype=NUMBER)
        present = has_value(values)
        names = (
            ref.names[number] for number, is_there in zip(ref.name_sets[name_set], present, strict=True) if is_there
        )
        yield StoredPoint(x, sequence, t, dict(zip(names, json_values(values[present]), strict=True)))


def _select(ref: GraphRef, where: str, tail: str, bound: dict[str, Any]) -> Any:
    statement = f"SELECT x, sequence, t, name_set, y FROM points WHERE {OF_GRAPH} {where} ORDER BY x, sequence {tail}"
    return ref.connection.execute(text(statement), {**ref.key, **bound})
