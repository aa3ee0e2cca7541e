"""The table of summaries: a row ("page") holds 64 neighbouring buckets of one level and one name of a graph, packed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np
from psycopg2.extras import execute_values
from sqlalchemy import text

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from ..db.engine import is_sqlite
from . import buckets
from .buckets import BUCKET, FACTOR
from .store import OF_GRAPH, GraphRef

PAGE_BUCKETS = 64
CHUNK_PAGES = 256
CHUNK_RUNS = 100
CHUNK_LOOKUPS = 5_000
CHUNK_STORED = 1_000
STORE = """INSERT INTO summaries (session_key, graph, level, page, name, buckets) VALUES %s
           ON CONFLICT (session_key, graph, level, page, name) DO UPDATE SET buckets = excluded.buckets"""

NamedBuckets = dict[int, np.ndarray]
"""{index of the name in the graph's names: buckets of one level, by number}"""


def read(ref: GraphRef, level: int, first: int, last: int) -> NamedBuckets:
    """The level's buckets with numbers from `first` to `last` inclusive."""
    if first > last:
        return {}
    rows = ref.connection.execute(
        text(
            f"SELECT name, buckets FROM summaries WHERE {OF_GRAPH} AND level = :level "
            "AND page BETWEEN :first AND :last ORDER BY page"
        ),
        {**ref.key, "level": level, "first": first // PAGE_BUCKETS, "last": last // PAGE_BUCKETS},
    ).all()
    return _unpacked(rows, first, last)


def _unpacked(rows: Iterable[Any], first: int, last: int) -> NamedBuckets:
    """The buckets with numbers from `first` to `last` of rows (index of the name, packed buckets), by page."""
    parts: dict[int, list[Any]] = {}
    for name, packed in rows:
        parts.setdefault(name, []).append(packed)
    found: NamedBuckets = {}
    for name, packed in parts.items():
        part = np.frombuffer(b"".join(packed), dtype=BUCKET)
        part = part[(part["number"] >= first) & (part["number"] <= last)]
        if len(part):
            found[name] = part
    return found


def read_total(ref: GraphRef, coarsest_level: int) -> NamedBuckets:
    """One bucket per name that summarizes every sealed point."""
    found = read(ref, coarsest_level, INT64_MIN, INT64_MAX)
    return {name: buckets.join(part, np.zeros(len(part), dtype=np.int64)) for name, part in found.items()}


def fill_from_finer(ref: GraphRef, level: int, first: int, last: int) -> None:
    """Join the buckets of the next finer level into this level's buckets from number `first` to `last`."""
    lowest, highest = max(first * FACTOR, INT64_MIN), min(last * FACTOR + FACTOR - 1, INT64_MAX)
    where = "page BETWEEN :first AND :last"
    first_page, last_page = lowest // PAGE_BUCKETS, highest // PAGE_BUCKETS
    bound = {"level": level - 1, "first": first_page, "last": last_page, "limit": CHUNK_PAGES}
    # in chunks of pages, so that memory is bounded however long the graph is
    while True:
        rows = ref.connection.execute(
            text(
                f"SELECT page, name, buckets FROM summaries WHERE {OF_GRAPH} AND level = :level AND {where} "
                "ORDER BY page, name LIMIT :limit"
            ),
            {**ref.key, **bound},
        ).all()
        found = _unpacked(((name, packed) for _, name, packed in rows), lowest, highest)
        merge(ref, level, {name: buckets.coarsen(part) for name, part in found.items()})
        if len(rows) < CHUNK_PAGES:
            return
        where = "page BETWEEN :first AND :last AND (page > :first OR name > :name)"
        bound |= {"first": rows[-1].page, "name": rows[-1].name}


def delete(ref: GraphRef, level: int, first: int, last: int) -> None:
    """Delete the level's buckets from number `first` to `last`."""
    # the first and the last page may hold buckets outside of the range, which stay
    start, end = first // PAGE_BUCKETS, last // PAGE_BUCKETS
    kept = _by_page(read(ref, level, start * PAGE_BUCKETS, first - 1))
    for key, part in _by_page(read(ref, level, last + 1, end * PAGE_BUCKETS + PAGE_BUCKETS - 1)).items():
        kept[key] = np.concatenate((kept[key], part)) if key in kept else part
    ref.connection.execute(
        text(f"DELETE FROM summaries WHERE {OF_GRAPH} AND level = :level AND page BETWEEN :start AND :end"),
        {**ref.key, "level": level, "start": start, "end": end},
    )
    _store(ref, level, kept)


Pages = dict[tuple[int, int], np.ndarray]
"""{(page, index of the name): its buckets}"""


def merge(ref: GraphRef, level: int, new: NamedBuckets, last_stored: int = INT64_MAX) -> Iterable[np.ndarray]:
    """Join new buckets of the level with the stored ones; returns the changed pages' buckets.

    Args:
        last_stored: the greatest number that a stored bucket may have; pages after its own are not looked for.
    """
    pages = _by_page(new)
    last_page = last_stored // PAGE_BUCKETS
    for key, stored in _load(ref, level, [key for key in pages if key[0] <= last_page]):
        if key in pages:
            both = np.concatenate((stored, pages[key]))
            pages[key] = buckets.join(both, both["number"])
    _store(ref, level, pages)
    return pages.values()


def _by_page(found: NamedBuckets) -> Pages:
    pages: Pages = {}
    for name, part in found.items():
        # buckets are sorted by number, so those of a page are one slice
        page_of: np.ndarray = part["number"] // PAGE_BUCKETS
        starts = np.flatnonzero(np.concatenate(([True], page_of[1:] != page_of[:-1])))
        for start, end in zip(starts, [*starts[1:], len(part)], strict=True):
            pages[int(page_of[start]), name] = part[start:end]
    return pages


def _load(ref: GraphRef, level: int, keys: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """(key, buckets) of the stored ones of these pages, and of some others between them."""
    if not keys:
        return
    names = [name for _, name in keys]
    pages = sorted({page for page, _ in keys})
    runs = list(_runs(pages))
    where = f"session_key = {ref.session_key:d} AND graph = {ref.graph:d} AND level = {level:d}"
    where += f" AND name BETWEEN {min(names):d} AND {max(names):d}"
    if len(runs) > CHUNK_RUNS:
        rows = _select_far_apart(ref, where, pages)
    else:
        # one SELECT per range of pages: given a list of keys, PostgreSQL may read every page of the graph
        select = f"SELECT page, name, buckets FROM summaries WHERE {where} AND page BETWEEN %d AND %d"
        rows = iter(ref.connection.exec_driver_sql(" UNION ALL ".join(select % run for run in runs)).all())
    for page, name, packed in rows:
        yield (page, name), np.frombuffer(packed, dtype=BUCKET)


def _select_far_apart(ref: GraphRef, where: str, pages: list[int]) -> Iterator[Any]:
    """Rows of these pages, each of which is looked up by itself."""
    if is_sqlite(ref.connection):
        wanted = "SELECT value FROM json_each(:pages)"
        query = f"SELECT page, name, buckets FROM summaries WHERE {where} AND page IN ({wanted})"
    else:
        # OFFSET 0: a lookup for each, whatever the planner thinks of it
        query = f"""SELECT found.* FROM jsonb_array_elements_text(CAST(:pages AS jsonb)) AS wanted (page)
                    CROSS JOIN LATERAL (SELECT page, name, buckets FROM summaries
                                        WHERE {where} AND page = CAST(wanted.page AS bigint) OFFSET 0) AS found"""
    for start in range(0, len(pages), CHUNK_LOOKUPS):
        bound = {"pages": json.dumps(pages[start : start + CHUNK_LOOKUPS])}
        yield from ref.connection.execute(text(query), bound).all()


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers in a sorted list."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


def _store(ref: GraphRef, level: int, pages: Mapping[tuple[int, int], np.ndarray]) -> None:
    if not pages:
        return
    same = ref.session_key, ref.graph, level
    rows = [(*same, page, name, part.tobytes()) for (page, name), part in pages.items()]
    # by the driver: SQLAlchemy would take longer for each row than the database
    if is_sqlite(ref.connection):
        ref.connection.exec_driver_sql(STORE % "(?, ?, ?, ?, ?, ?)", rows)
        return
    with closing(ref.connection.connection.cursor()) as cursor:
        execute_values(cursor, STORE, rows, page_size=CHUNK_STORED)
