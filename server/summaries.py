"""Buckets beside the points, in levels: level k holds buckets of 16 ** k places of x, 64 of them a row ("a page").

Points are sealed: once 256 of a graph are loose, they are joined into the buckets of every level, however they lie
among those that came before. What is not sealed yet is read from the points, so a chart is complete at every moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql, sqlite

from losswise.records import INT64_MAX, INT64_MIN

from . import buckets, pointstore
from .buckets import BUCKET, EMPTY, FACTOR
from .columns import Columns, has_value
from .database import is_sqlite
from .models import summaries
from .pointstore import Lines

PAGE = 64
LOOSE_MOST = 256
LATE = 4096
"""Loose points are sealed early when one lies so far behind the last: charts look for them from there on."""
TOP = FACTOR
"""The highest level has numbers from -16 to 15."""
LEVELS_MOST = 16
KEYS_AT_ONCE = 2_000


@dataclass(frozen=True)
class Seal:
    """What of a graph is in its summaries: every point whose number of arrival is below `arrival`.

    `loose` points are not, and `lowest` is the least x of these. Levels 1 to `levels` are there.
    """

    arrival: int = 0
    loose: int = 0
    lowest: int = INT64_MAX
    levels: int = 0

    @classmethod
    def load(cls, value: list[int] | None) -> Seal:
        return cls(*value) if value else cls()

    def dump(self) -> list[int]:
        return [self.arrival, self.loose, self.lowest, self.levels]

    def with_loose(self, x: np.ndarray) -> Seal:
        return replace(self, loose=self.loose + len(x), lowest=min(self.lowest, int(x.min())))

    def is_due(self, greatest: int) -> bool:
        """Whether to seal now; `greatest` is the graph's greatest x."""
        return self.loose >= LOOSE_MOST or (self.loose > 0 and greatest - self.lowest > LATE)


# keeping up


def seal(
    connection: Connection,
    session_key: int,
    graph: int,
    lines: Lines,
    known: Seal,
    new: Iterable[tuple[Columns, int]],
    arrivals: int,
) -> Seal:
    """Join all loose points into the levels.

    known: the seal, the new points counted; new: (columns, first number of arrival) of those of this transaction,
    which need not be read again; arrivals: the session's number of arrivals, the new points counted.
    """
    new = list(new)
    first_new = min((first for _, first in new), default=arrivals)
    pieces = [columns for columns, _ in new]
    if known.loose > sum(len(columns.x) for columns in pieces):
        _, stored = pointstore.read(
            connection,
            session_key,
            graph,
            lines,
            "AND x >= :lowest AND arrival >= :sealed AND arrival < :first_new",
            lowest=known.lowest,
            sealed=known.arrival,
            first_new=first_new,
        )
        pieces.insert(0, stored)
    filled = [columns.x for columns in pieces if len(columns.x)]
    if not filled:
        return Seal(arrival=arrivals, levels=known.levels)
    lowest, highest = min(int(x.min()) for x in filled), max(int(x.max()) for x in filled)
    levels = _levels_for(lowest, highest)
    if levels > known.levels > 0:
        _add_levels(connection, session_key, graph, known.levels, levels)
    levels = max(levels, known.levels)
    _merge(connection, session_key, graph, _by_level(_bottom(pieces, lines), levels))
    return Seal(arrival=arrivals, levels=levels)


def _levels_for(lowest: int, highest: int) -> int:
    levels = 1
    while levels < LEVELS_MOST and not (-TOP <= lowest // FACTOR**levels and highest // FACTOR**levels < TOP):
        levels += 1
    return levels


def _bottom(pieces: list[Columns], lines: Lines) -> dict[int, np.ndarray]:
    """{place of the name: buckets of level 1} of points."""
    parts: dict[str, list[np.ndarray]] = {}
    for columns in pieces:
        for name, column in columns.y.items():
            there = has_value(column)
            values = column if there.all() else column[there]
            x, t = (columns.x, columns.t) if len(values) == len(column) else (columns.x[there], columns.t[there])
            parts.setdefault(name, []).append(buckets.at_level(buckets.of_points(x, t, values)))
    place_of = {name: place for place, name in enumerate(lines.names)}
    joined = {}
    for name, made in parts.items():
        whole = made[0] if len(made) == 1 else np.concatenate(made)
        if len(whole):
            joined[place_of[name]] = buckets.join(whole, whole["number"]) if len(made) > 1 else whole
    return joined


Levels = dict[tuple[int, int], np.ndarray]
"""{(level, place of the name): buckets}"""


def _by_level(bottom: Mapping[int, np.ndarray], levels: int) -> Levels:
    made: Levels = {}
    for name, lowest in bottom.items():
        made[1, name] = lowest
        for level in range(2, levels + 1):
            made[level, name] = buckets.at_level(made[level - 1, name])
    return made


def _merge(connection: Connection, session_key: int, graph: int, added: Levels) -> None:
    """Join buckets with those that are stored."""
    pages = {key: value for (level, name), made in added.items() for key, value in _pages(level, name, made)}
    for key, stored in _load(connection, session_key, graph, list(pages)):
        both = np.concatenate((stored, pages[key]))
        pages[key] = buckets.join(both, both["number"])
    _store(connection, session_key, graph, pages)


Key = tuple[int, int, int]
"""Level, page, place of the name."""


def _pages(level: int, name: int, made: np.ndarray) -> Iterator[tuple[Key, np.ndarray]]:
    page_of: np.ndarray = made["number"] // PAGE
    starts = np.flatnonzero(np.concatenate(([True], page_of[1:] != page_of[:-1])))
    for start, end in zip(starts, [*starts[1:], len(made)], strict=True):
        yield (level, int(page_of[start]), name), made[start:end]


def _load(connection: Connection, session_key: int, graph: int, keys: list[Key]) -> Iterator[tuple[Key, np.ndarray]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        wanted = ", ".join(f"({level}, {page}, {name})" for level, page, name in keys[start : start + KEYS_AT_ONCE])
        query = (
            f"SELECT level, page, name, buckets FROM summaries WHERE session_key = {session_key} AND graph = {graph} "
            f"AND (level, page, name) IN (VALUES {wanted})"
        )
        for level, page, name, packed in connection.exec_driver_sql(query).all():
            yield (level, page, name), np.frombuffer(packed, dtype=BUCKET)


def _store(connection: Connection, session_key: int, graph: int, pages: Mapping[Key, np.ndarray]) -> None:
    rows = [
        {
            "session_key": session_key,
            "graph": graph,
            "level": level,
            "page": page,
            "name": name,
            "buckets": made.tobytes(),
        }
        for (level, page, name), made in pages.items()
    ]
    if not rows:
        return
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    statement = insert(summaries)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["session_key", "graph", "level", "page", "name"],
            set_={"buckets": statement.excluded.buckets},
        ),
        rows,
    )


def _add_levels(connection: Connection, session_key: int, graph: int, known: int, levels: int) -> None:
    """Make the levels above `known` from it."""
    below = read(connection, session_key, graph, known, INT64_MIN, INT64_MAX)
    made: Levels = {}
    for level in range(known + 1, levels + 1):
        below = {name: buckets.at_level(found) for name, found in below.items()}
        made |= {(level, name): found for name, found in below.items()}
    _merge(connection, session_key, graph, made)


# taking back


def rebuild_after(connection: Connection, session_key: int, graph: int, lines: Lines, after: int, levels: int) -> None:
    """Make the buckets behind x = `after` again: points there were taken back. All that is left is sealed then."""
    first = after // FACTOR
    _, left = pointstore.read(
        connection, session_key, graph, lines, "AND x >= :start", start=max(first * FACTOR, INT64_MIN)
    )
    made = _bottom([left], lines)
    for level in range(1, levels + 1):
        if level > 1:
            first = after // FACTOR**level
            below = read(connection, session_key, graph, level - 1, first * FACTOR, INT64_MAX)
            made = {name: buckets.at_level(found) for name, found in below.items()}
        _cut(connection, session_key, graph, level, first)
        _merge(connection, session_key, graph, {(level, name): found for name, found in made.items()})


def _cut(connection: Connection, session_key: int, graph: int, level: int, first: int) -> None:
    """Delete the level's buckets from number `first` on."""
    stays = {
        (level, first // PAGE, name): found
        for name, found in read(connection, session_key, graph, level, first // PAGE * PAGE, first - 1).items()
    }
    connection.execute(
        text(
            "DELETE FROM summaries WHERE session_key = :session_key AND graph = :graph AND level = :level "
            "AND page >= :page"
        ),
        {"session_key": session_key, "graph": graph, "level": level, "page": first // PAGE},
    )
    _store(connection, session_key, graph, stays)


# reading


def read(
    connection: Connection, session_key: int, graph: int, level: int, first: int, last: int
) -> dict[int, np.ndarray]:
    """{place of the name: buckets} of a level, with numbers from `first` to `last` inclusive."""
    if first > last:
        return {}
    rows = connection.execute(
        text(
            "SELECT name, buckets FROM summaries WHERE session_key = :session_key AND graph = :graph "
            "AND level = :level AND page BETWEEN :first AND :last ORDER BY page"
        ),
        {
            "session_key": session_key,
            "graph": graph,
            "level": level,
            "first": first // PAGE,
            "last": last // PAGE,
        },
    ).all()
    parts: dict[int, list[Any]] = {}
    for name, packed in rows:
        parts.setdefault(name, []).append(packed)
    found = {name: np.frombuffer(b"".join(packed), dtype=BUCKET) for name, packed in parts.items()}
    within = {name: part[(part["number"] >= first) & (part["number"] <= last)] for name, part in found.items()}
    return {name: part for name, part in within.items() if len(part)}


def whole(connection: Connection, session_key: int, graph: int, levels: int) -> dict[int, np.ndarray]:
    """{place of the name: one bucket} of everything that is sealed."""
    top = read(connection, session_key, graph, levels, INT64_MIN, INT64_MAX)
    return {name: buckets.join(found, np.zeros(len(found), dtype=np.int64)) for name, found in top.items()}


def edge_place(
    connection: Connection, session_key: int, graph: int, levels: int, name: int, fields: tuple[str, ...], last: bool
) -> int | None:
    """The number of the first (or last) bucket of level 1 in which one of the fields counts something."""
    first, end = INT64_MIN, INT64_MAX
    for level in range(levels, 0, -1):
        found = read(connection, session_key, graph, level, first, end).get(name, EMPTY)
        found = found[sum(found[field] for field in fields) > 0]
        if not len(found):
            return None
        number = int(found["number"][-1 if last else 0])
        first, end = number * FACTOR, number * FACTOR + FACTOR - 1
    return number
