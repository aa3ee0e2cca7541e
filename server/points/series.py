"""Points as a chart of some width needs them: all of them where they are few, else buckets with every extreme."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import text

from losswise.protocol.limits import INT64_MAX

from . import bucket_store, buckets, store
from .buckets import FACTOR
from .columns import Columns, has_value, json_values
from .store import OF_GRAPH, Place
from .summaries import Seal

EXACT_PER_PIXEL = 2
MIN_WIDTH, MAX_WIDTH = 10, 10_000


def series(place: Place, seal: Seal, x0: int | None, x1: int | None, width: int) -> dict[str, Any]:
    """The series of a graph between x0 and x1 (inclusive; None: to its end) for a chart of `width` pixels.

    `seal` tells what of the graph is summarised.

    Returns {"exact": True, "series": {name: {"x", "t", "y"}}} with every point where there are at most two a
    pixel, else {"exact": False, "series": {name: {"x", "t", "min", "max", "mean", "nan", "inf"}}} with between
    width / 2 and width buckets where the data has them; x and t are those of a bucket's first point.
    """
    window = _window(place, x0, x1, EXACT_PER_PIXEL * width)
    if window is None:
        return {"exact": True, "series": {}}
    if window.few:
        points = _points(place, window.first, window.last)
        return {"exact": True, "series": exact(points)}
    pieces = _pieces(place, seal, window, width)
    joined = {place.lines.names[name]: _join(parts, window, width) for name, parts in sorted(pieces.items())}
    return {"exact": False, "series": {name: _summary(made) for name, made in joined.items()}}


class _Window(NamedTuple):
    """First and last x that the window holds, whether the graph has points beyond them, and whether it has few."""

    first: int
    last: int
    before: bool
    behind: bool
    few: bool


def _window(place: Place, x0: int | None, x1: int | None, most: int) -> _Window | None:
    """None if the window has no points."""
    within = OF_GRAPH
    bound: dict[str, Any] = {**place.key, "most": most + 1}
    if x0 is not None:
        within, bound["x0"] = within + " AND x >= :x0", x0
    if x1 is not None:
        within, bound["x1"] = within + " AND x <= :x1", x1
    # either end is the first row of the index in its order, which min and max are not always taken from
    first_of, last_of = "ORDER BY x LIMIT 1", "ORDER BY x DESC LIMIT 1"
    ends = f"""SELECT (SELECT x FROM points WHERE {within} {first_of}),
                      (SELECT x FROM points WHERE {within} {last_of}),
                      (SELECT x FROM points WHERE {OF_GRAPH} {first_of}),
                      (SELECT x FROM points WHERE {OF_GRAPH} {last_of}),
                      (SELECT count(*) FROM (SELECT 1 FROM points WHERE {within} ORDER BY x LIMIT :most) AS few)"""
    first, last, least, greatest, count = place.connection.execute(text(ends), bound).one()
    return None if first is None else _Window(first, last, first > least, last < greatest, count <= most)


def _points(place: Place, x0: int, x1: int) -> Columns:
    _, points = store.read(place, "AND x BETWEEN :x0 AND :x1", x0=x0, x1=x1)
    return points


Pieces = dict[int, list[np.ndarray]]
"""{place of the name: arrays of buckets, whatever their level}"""


def _pieces(place: Place, seal: Seal, window: _Window, width: int) -> Pieces:
    """Buckets that together hold every point of the window, each at most two pixels wide: of the coarsest level that is
    fine enough, at the window's edges ever finer ones, at last points; and what is not sealed, which are few."""
    pieces: Pieces = {}
    first, last, frontier = window.first, window.last, seal.frontier
    levels = [level for level in seal.levels if FACTOR**level * width <= 2 * (last - first + 1) or level == 0]
    if frontier is None or frontier < first or not levels:
        _add_points(pieces, place, _points(place, first, last))
        return pieces
    if frontier < last:
        _add_points(pieces, place, _points(place, frontier + 1, last))
    # a bucket at the frontier holds nothing behind it
    _add_sealed(pieces, place, (first, min(frontier, last)), (window.before, last < frontier), levels)
    return pieces


def _add_sealed(
    pieces: Pieces, place: Place, ends: tuple[int, int], cuts: tuple[bool, bool], levels: list[int]
) -> None:
    """Add the sealed points from one end to the other; `cuts` tells where there are points beyond an end."""
    first, last = ends
    below: int | None = None
    for level in levels:
        size = FACTOR**level
        start = -(-first // size) * size if cuts[0] else first
        end = (last + 1) // size * size - 1 if cuts[1] else last
        if start > end:
            break
        _add_span(pieces, place, first, start - 1, below)
        _add_span(pieces, place, end + 1, last, below)
        first, last, below = start, end, level
    _add_span(pieces, place, first, last, below)


def _add_span(pieces: Pieces, place: Place, first: int, last: int, level: int | None) -> None:
    """Add the level's buckets (without one: the points) from x = first to last."""
    if first > last:
        return
    if level is None:
        _add_points(pieces, place, _points(place, first, last))
        return
    size = FACTOR**level
    for name, made in bucket_store.read(place, level, first // size, last // size).items():
        pieces.setdefault(name, []).append(made)


def _add_points(pieces: Pieces, place: Place, points: Columns) -> None:
    for number, name in enumerate(place.lines.names):
        column = points.y.get(name)
        if column is not None and (there := has_value(column)).any():
            made = buckets.of_points(points.x[there], points.t[there], column[there])
            pieces.setdefault(number, []).append(made)


def _join(parts: list[np.ndarray], window: _Window, width: int) -> np.ndarray:
    """Pieces joined into at most `width` buckets of equal spans of x."""
    whole = np.concatenate(parts)
    span = window.last - window.first + 1
    if span < INT64_MAX // width:
        places = (whole["x"] - window.first) * width // span
    else:  # the product would not fit
        places = ((whole["x"].astype(np.float64) - window.first) / span * width).astype(np.int64)
    return buckets.join(whole, places)


def exact(points: Columns) -> dict[str, dict[str, list[Any]]]:
    """{name: {"x", "t", "y"}} of points, as JSON has it."""
    series = {}
    for name, column in points.y.items():
        there = has_value(column)
        if there.any():
            x, t, y = points.x[there].tolist(), points.t[there].tolist(), json_values(column[there])
            series[name] = {"x": x, "t": t, "y": y}
    return series


def _summary(made: np.ndarray) -> dict[str, list[Any]]:
    counted = made["count"] > 0
    # a sum that has overflowed says less than the extremes do
    means = np.clip(made["total"] / np.maximum(made["count"], 1), made["low"], made["high"])
    columns: dict[str, list[Any]] = {"x": made["x"].tolist(), "t": made["t"].tolist()}
    for name, values in (("min", made["low"]), ("max", made["high"]), ("mean", means)):
        columns[name] = values.tolist()
        for place in np.flatnonzero(~counted):
            columns[name][place] = None
    return {**columns, "nan": made["nan"].tolist(), "inf": made["inf"].tolist()}
