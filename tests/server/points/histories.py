"""Histories of a graph: batches of points in any order, and rewinds between them."""

from __future__ import annotations

import math
from typing import NamedTuple

from hypothesis import strategies as st

from losswise.protocol import records
from tests.server.points.expected import INT64_MAX, NAMES, Model, Point, record_of
from tests.support.application import DirectWriting


class Batch(NamedTuple):
    """Points of one record."""

    points: list[Point]


class Rewind(NamedTuple):
    after: int
    until: float


numbers = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-5, 5).map(float),
    st.sampled_from([math.nan, math.inf, -math.inf, 1.7e308, -1.7e308, 5e-324, -0.0]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Batch | Rewind]:
    """Batches of points: runs of steps (from anywhere, by any stride, up or down), places at random, the same place
    again, and rewinds between them."""
    history: list[Batch | Rewind] = []
    time = 0.0
    for _ in range(draw(st.integers(1, 8))):
        time += 1.0
        if history and draw(st.integers(0, 3)) == 0:
            known = [point.x for step in history if isinstance(step, Batch) for point in step.points]
            after = draw(st.sampled_from(known)) + draw(st.integers(-20, 20)) if known else 0
            until = draw(st.sampled_from([time, time - 2.0]))
            history.append(Rewind(max(-(2**63), min(after, INT64_MAX)), max(0.0, until)))
            continue
        start = draw(st.sampled_from([0, 0, 100, -1_000, 10_000, 2**40, -(2**63), INT64_MAX - 5_000]))
        stride = draw(st.sampled_from([0, 1, 1, 1, -1, 3, 16, 100]))
        count = draw(st.integers(1, 120))
        xs = [start + stride * number for number in range(count)]
        if draw(st.booleans()):
            xs = draw(st.permutations(xs))
        xs = [max(-(2**63), min(x, INT64_MAX)) for x in xs]
        names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
        seed = draw(st.lists(numbers, min_size=1, max_size=8))
        holes = draw(st.booleans())
        points = []
        for number, x in enumerate(xs):
            y = {
                name: seed[(number * 7 + place) % len(seed)] + (number % 5 if number % 3 else 0)
                for place, name in enumerate(names)
                if not (holes and (number + place) % 4 == 0)
            }
            points.append(Point(x, time, y))
        history.append(Batch(points))
    return history


def apply(model: Model, step: Batch | Rewind) -> None:
    if isinstance(step, Batch):
        model.points += [point for point in step.points if point.y]
    else:
        model.points = [p for p in model.points if not (p.x > step.after and p.t <= step.until)]


def send(run: DirectWriting, graph: str, step: Batch | Rewind) -> None:
    run.send(
        record_of(graph, step.points) if isinstance(step, Batch) else records.rewind_record(step.after, step.until)
    )


def steps(first: int, last: int, time: float = 1.0) -> Batch:
    return Batch([Point(x, time, {"a": math.sin(x), "b": -x / 3}) for x in range(first, last)])


def spaced(first: int, count: int, stride: int) -> Batch:
    return Batch([Point(first + stride * x, 1.0, {"a": math.sin(x), "late": float(x)}) for x in range(count)])


HISTORIES: dict[str, list[Batch | Rewind]] = {
    "a rewind into unsealed points": [steps(0, 60), steps(60, 70), Rewind(64, 2.0)],
    "a rewind into sealed points, some of which stay": [steps(0, 500), steps(400, 430, 9.0), Rewind(100, 5.0)],
    "a rewind to nothing": [steps(0, 500), Rewind(-1, 5.0), steps(0, 30, 9.0)],
    "levels that are added": [steps(0, 50), steps(5_000, 5_050), steps(10**9, 10**9 + 50), steps(-70_000, -69_950)],
    "points that come closer": [spaced(0, 50, 10**6), steps(0, 60), spaced(10**7, 300, 1), steps(0, 60)],
    "a step counter that restarts each epoch": [steps(0, 30) for _ in range(20)],
    "points far apart": [spaced(n * 10**16, 50, 2 * 10**14) for n in range(4)],
    "one far ahead of all": [spaced(10**12, 1, 1), *(steps(n * 30, n * 30 + 30) for n in range(5))],
    "rewinds among repeated ones": [*(steps(0, 30, n) for n in range(9)), Rewind(10, 4.0), steps(5, 50, 20.0)],
    "a rewind of the last x that there is": [spaced(INT64_MAX - 99, 100, 1), Rewind(INT64_MAX - 50, 5.0)],
    "a rewind around the last x that there is": [
        spaced(INT64_MAX - 99, 100, 1),
        Batch([Point(INT64_MAX, 9.0, {"a": 1.0})]),
        Rewind(INT64_MAX - 50, 5.0),
    ],
    "late ones": [steps(1_000, 2_000), steps(0, 10), steps(500, 510), steps(2_000, 2_010)],
    "two that take turns": [
        step for n in range(8) for step in (steps(n * 30, n * 30 + 30), steps(n * 20, n * 20 + 20))
    ],
}
