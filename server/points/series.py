"""The points of a graph as a chart of some width needs them: all of them if they are few, else buckets.

Every minimum, maximum, NaN and infinity of the data is in the buckets, however narrow the chart is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import text

from losswise.protocol.limits import INT64_MAX

from . import bucket_store, buckets, store
from .buckets import FACTOR
from .columns import PointColumns, has_value, json_values
from .store import OF_GRAPH, GraphRef
from .summaries import SummaryState

EXACT_POINTS_PER_PIXEL = 2
MIN_WIDTH, MAX_WIDTH = 10, 10_000


def series(ref: GraphRef, state: SummaryState, x0: int | None, x1: int | None, width: int) -> dict[str, Any]:
    """The series of a graph between x0 and x1 (inclusive; None: to its end) for a chart of `width` pixels.

    Args:
        state: which of the graph's points are summarized.

    Returns:
        {"exact": True, "series": {name: {"x", "t", "y"}}} with every point if there are at most two per pixel, else
        {"exact": False, "series": {name: {"x", "t", "min", "max", "mean", "nan", "inf"}}} with between width / 2 and
        width buckets where the data has them; x and t are those of a bucket's first point.
    """
    found = _find_window(ref, x0, x1, EXACT_POINTS_PER_PIXEL * width)
    if found is None:
        return {"exact": True, "series": {}}
    window, is_short = found
    if is_short:
        return {"exact": True, "series": exact(_points(ref, window.first, window.last))}
    pieces = _pieces(ref, state, window, width)
    joined = {ref.names[name]: _join(parts, window, width) for name, parts in sorted(pieces.items())}
    return {"exact": False, "series": {name: _summary(made) for name, made in joined.items()}}


class Span(NamedTuple):
    """A range of x, both ends inclusive.

    Attributes:
        is_cut_before, is_cut_after: whether the graph has points beyond that end. A bucket across such an end would
            mix them with points of the span.
    """

    first: int
    last: int
    is_cut_before: bool
    is_cut_after: bool


def _find_window(ref: GraphRef, x0: int | None, x1: int | None, limit: int) -> tuple[Span, bool] | None:
    """The span of the points between x0 and x1, and whether they are at most `limit`; None if there are none."""
    within = OF_GRAPH
    bound: dict[str, Any] = {**ref.key, "limit": limit + 1}
    if x0 is not None:
        within, bound["x0"] = within + " AND x >= :x0", x0
    if x1 is not None:
        within, bound["x1"] = within + " AND x <= :x1", x1
    # the first row in the order of the index; the databases do not always find min(x) and max(x) that way
    first_of, last_of = "ORDER BY x LIMIT 1", "ORDER BY x DESC LIMIT 1"
    ends = f"""SELECT (SELECT x FROM points WHERE {within} {first_of}),
                      (SELECT x FROM points WHERE {within} {last_of}),
                      (SELECT x FROM points WHERE {OF_GRAPH} {first_of}),
                      (SELECT x FROM points WHERE {OF_GRAPH} {last_of}),
                      (SELECT count(*) FROM (SELECT 1 FROM points WHERE {within} ORDER BY x LIMIT :limit) AS few)"""
    first, last, lowest, highest, count = ref.connection.execute(text(ends), bound).one()
    return None if first is None else (Span(first, last, first > lowest, last < highest), count <= limit)


def _points(ref: GraphRef, x0: int, x1: int) -> PointColumns:
    _, points = store.read(ref, "AND x BETWEEN :x0 AND :x1", x0=x0, x1=x1)
    return points


Pieces = dict[int, list[np.ndarray]]
"""{index of the name: arrays of buckets, of any levels}"""


def _pieces(ref: GraphRef, state: SummaryState, window: Span, width: int) -> Pieces:
    """Buckets that together hold every point of the window, each at most two pixels wide."""
    pieces: Pieces = {}
    first, last, sealed = window.first, window.last, state.sealed_through
    # coarser buckets would be wider than two pixels; the finest level is read also when it is that wide
    levels = [level for level in state.levels if FACTOR**level * width <= 2 * (last - first + 1) or level == 0]
    if sealed is None or sealed < first or not levels:
        _add_points(pieces, ref, _points(ref, first, last))
        return pieces
    if sealed < last:
        _add_points(pieces, ref, _points(ref, sealed + 1, last))
        # buckets hold no unsealed points, so the last one may be used whole
        window = Span(first, sealed, window.is_cut_before, is_cut_after=False)
    _add_sealed(pieces, ref, window, levels)
    return pieces


def _add_sealed(pieces: Pieces, ref: GraphRef, span: Span, levels: list[int]) -> None:
    """Add the sealed points of a span, as buckets of these levels (finest first) and at its cut ends as points:

        span            |-----------------------------------|
        level 2               [          ][          ]
        level 1            [][]                       [][]
        level 0 or points ..                              ..

    The loop starts with the finest level and replaces all but the edges by the next coarser one.
    """
    first, last = span.first, span.last
    finer: int | None = None
    for level in levels:
        size = FACTOR**level
        start = -(-first // size) * size if span.is_cut_before else first
        end = (last + 1) // size * size - 1 if span.is_cut_after else last
        if start > end:
            break
        _add_range(pieces, ref, first, start - 1, finer)
        _add_range(pieces, ref, end + 1, last, finer)
        first, last, finer = start, end, level
    _add_range(pieces, ref, first, last, finer)


def _add_range(pieces: Pieces, ref: GraphRef, first: int, last: int, level: int | None) -> None:
    """Add the level's buckets from x = first to last; the points if there is no level."""
    if first > last:
        return
    if level is None:
        _add_points(pieces, ref, _points(ref, first, last))
        return
    size = FACTOR**level
    for name, made in bucket_store.read(ref, level, first // size, last // size).items():
        pieces.setdefault(name, []).append(made)


def _add_points(pieces: Pieces, ref: GraphRef, points: PointColumns) -> None:
    for number, name in enumerate(ref.names):
        column = points.y.get(name)
        if column is not None and (there := has_value(column)).any():
            made = buckets.of_points(points.x[there], points.t[there], column[there])
            pieces.setdefault(number, []).append(made)


def _join(parts: list[np.ndarray], window: Span, width: int) -> np.ndarray:
    """Join pieces into at most `width` buckets of equal spans of x."""
    whole = np.concatenate(parts)
    span = window.last - window.first + 1
    if span < INT64_MAX // width:
        pixels = (whole["x"] - window.first) * width // span
    else:  # the product would not fit
        pixels = ((whole["x"].astype(np.float64) - window.first) / span * width).astype(np.int64)
    return buckets.join(whole, pixels)


def exact(points: PointColumns) -> dict[str, dict[str, list[Any]]]:
    """Points as {name: {"x", "t", "y"}}, in the form of the API's JSON."""
    series = {}
    for name, column in points.y.items():
        there = has_value(column)
        if there.any():
            x, t, y = points.x[there].tolist(), points.t[there].tolist(), json_values(column[there])
            series[name] = {"x": x, "t": t, "y": y}
    return series


def _summary(made: np.ndarray) -> dict[str, list[Any]]:
    counted = made["count"] > 0
    # where the sum has overflowed, the mean is at least kept between the extremes
    means = np.clip(made["total"] / np.maximum(made["count"], 1), made["low"], made["high"])
    columns: dict[str, list[Any]] = {"x": made["x"].tolist(), "t": made["t"].tolist()}
    for name, values in (("min", made["low"]), ("max", made["high"]), ("mean", means)):
        columns[name] = values.tolist()
        for index in np.flatnonzero(~counted):
            columns[name][index] = None
    return {**columns, "nan": made["nan"].tolist(), "inf": made["inf"].tolist()}
