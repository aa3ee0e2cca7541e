"""Pages of buckets in the database: 64 neighbours of one level and one name of a graph are a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import text

from losswise.protocol.limits import INT64_MAX, INT64_MIN

from ..db.engine import insert_or_update
from ..db.models import summaries
from . import buckets
from .buckets import BUCKET, FACTOR
from .store import OF_GRAPH, Place

PAGE = 64
PAGES_AT_ONCE = 256
RUNS_AT_ONCE = 100


Made = dict[int, np.ndarray]
"""{place of the name: buckets of one level}"""


def read(place: Place, level: int, first: int, last: int) -> Made:
    """The level's buckets with numbers from `first` to `last` inclusive."""
    if first > last:
        return {}
    rows = place.connection.execute(
        text(
            f"SELECT name, buckets FROM summaries WHERE {OF_GRAPH} AND level = :level "
            "AND page BETWEEN :first AND :last ORDER BY page"
        ),
        {**place.key, "level": level, "first": first // PAGE, "last": last // PAGE},
    ).all()
    return _within(rows, first, last)


def _within(rows: Iterable[Any], first: int, last: int) -> Made:
    """(place of the name, packed buckets) by name, with numbers from `first` to `last`."""
    parts: dict[int, list[Any]] = {}
    for name, packed in rows:
        parts.setdefault(name, []).append(packed)
    made: Made = {}
    for name, packed in parts.items():
        part = np.frombuffer(b"".join(packed), dtype=BUCKET)
        part = part[(part["number"] >= first) & (part["number"] <= last)]
        if len(part):
            made[name] = part
    return made


def whole(place: Place, top: int) -> Made:
    """One bucket of everything that is sealed, for each name; `top` is the highest level."""
    found = read(place, top, INT64_MIN, INT64_MAX)
    return {name: buckets.join(part, np.zeros(len(part), dtype=np.int64)) for name, part in found.items()}


def fill(place: Place, level: int, below: int, first: int, last: int) -> None:
    """Join into the level's buckets from number `first` to `last` those of the level below."""
    lowest, highest = max(first * FACTOR, INT64_MIN), min(last * FACTOR + FACTOR - 1, INT64_MAX)
    where = "page BETWEEN :first AND :last"
    bound = {"level": below, "first": lowest // PAGE, "last": highest // PAGE, "most": PAGES_AT_ONCE}
    while True:
        rows = place.connection.execute(
            text(
                f"SELECT page, name, buckets FROM summaries WHERE {OF_GRAPH} AND level = :level AND {where} "
                "ORDER BY page, name LIMIT :most"
            ),
            {**place.key, **bound},
        ).all()
        made = _within(((name, packed) for _, name, packed in rows), lowest, highest)
        merge(place, level, {name: buckets.at_level(part) for name, part in made.items()})
        if len(rows) < PAGES_AT_ONCE:
            return
        where = "page BETWEEN :first AND :last AND (page > :first OR name > :name)"
        bound |= {"first": rows[-1].page, "name": rows[-1].name}


def cut(place: Place, level: int, first: int, last: int) -> None:
    """Delete the level's buckets from number `first` to `last`."""
    start, end = first // PAGE, last // PAGE
    stays = _at_pages(read(place, level, start * PAGE, first - 1))
    for key, part in _at_pages(read(place, level, last + 1, end * PAGE + PAGE - 1)).items():
        stays[key] = np.concatenate((stays[key], part)) if key in stays else part
    place.connection.execute(
        text(f"DELETE FROM summaries WHERE {OF_GRAPH} AND level = :level AND page BETWEEN :start AND :end"),
        {**place.key, "level": level, "start": start, "end": end},
    )
    _store(place, level, stays)


Pages = dict[tuple[int, int], np.ndarray]
"""{(page, place of the name): buckets of one level}"""


def merge(place: Place, level: int, made: Made) -> Iterable[np.ndarray]:
    """Join buckets with those that are stored; returns the pages' buckets as they are then."""
    pages = _at_pages(made)
    for key, stored in _load(place, level, list(pages)):
        if key in pages:
            both = np.concatenate((stored, pages[key]))
            pages[key] = buckets.join(both, both["number"])
    _store(place, level, pages)
    return pages.values()


def _at_pages(made: Made) -> Pages:
    pages: Pages = {}
    for name, part in made.items():
        page_of: np.ndarray = part["number"] // PAGE
        starts = np.flatnonzero(np.concatenate(([True], page_of[1:] != page_of[:-1])))
        for start, end in zip(starts, [*starts[1:], len(part)], strict=True):
            pages[int(page_of[start]), name] = part[start:end]
    return pages


def _load(place: Place, level: int, keys: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
    """What is stored of some pages, and of others between them."""
    if not keys:
        return
    names = [name for _, name in keys]
    runs = iter(list(_runs(sorted({page for page, _ in keys}))))
    # a range a SELECT: with a list of keys PostgreSQL may read every page of the graph
    select = (
        f"SELECT page, name, buckets FROM summaries WHERE session_key = {place.session_key:d} "
        f"AND graph = {place.graph:d} AND level = {level:d} AND page BETWEEN %d AND %d "
        f"AND name BETWEEN {min(names):d} AND {max(names):d}"
    )
    while some := list(islice(runs, RUNS_AT_ONCE)):
        query = " UNION ALL ".join(select % run for run in some)
        for page, name, packed in place.connection.exec_driver_sql(query).all():
            yield (page, name), np.frombuffer(packed, dtype=BUCKET)


def _runs(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbours in a sorted list."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


def _store(place: Place, level: int, pages: Mapping[tuple[int, int], np.ndarray]) -> None:
    if not pages:
        return
    same = {**place.key, "level": level}
    rows = [{**same, "page": page, "name": name, "buckets": part.tobytes()} for (page, name), part in pages.items()]
    statement = insert_or_update(place.connection, summaries)
    place.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["session_key", "graph", "level", "page", "name"],
            set_={"buckets": statement.excluded.buckets},
        ),
        rows,
    )
