"""Summaries, series and statistics agree with NumPy on the raw points, in whatever order they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.points import statistics, store
from losswise_server.points.columns import column_of
from losswise_server.points.summaries import SummaryState
from sqlalchemy import select

from losswise.protocol.records import encode_number
from tests.server.points.expected import (
    INT64_MAX,
    Model,
    check_levels,
    check_series,
    check_statistics,
    set_small_limits,
)
from tests.server.points.histories import HISTORIES, Batch, Rewind, apply, histories, numbers, send
from tests.support.application import DirectWriting


def check_history(history: list[Batch | Rewind], windows: list[tuple[int, int]]) -> None:
    """Apply it with small limits, and compare summaries, statistics and series with the model."""
    with pytest.MonkeyPatch.context() as patch:
        set_small_limits(patch)
        run = DirectWriting()
        graph = run.graph()
        model = Model()
        for step in history:
            send(run, graph, step)
            apply(model, step)
        with reading() as connection:
            row = connection.execute(select(Session.__table__).where(Session.id == run.session)).one()
            ref = store.graph_ref(connection, row.key, 1)
            state = SummaryState.load(row.summary_states.get("1"))
            assert row.points == len(model.points)
            check_levels(ref, state)
            check_statistics(row, model)
            check_series(ref, state, model, None, None)
            known = sorted({point.x for point in model.points}) or [0]
            for at, length in windows:
                start = known[at % len(known)]
                check_series(ref, state, model, start, min(start + length, INT64_MAX))
                check_series(ref, state, model, None, start)


def any_history(examples: int) -> Callable[[Any], Any]:
    """A property of so many histories, each with some windows of its series."""
    windows = st.lists(st.tuples(st.integers(-30, 130), st.integers(1, 4_000)), max_size=3)
    checks = [HealthCheck.too_slow]

    def decorate(test: Any) -> Any:
        return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks)(
            given(history=histories(), windows=windows)(test)
        )

    return decorate


@any_history(30)
@pytest.mark.full_on_postgresql
def test_any_history(app: None, history: list[Batch | Rewind], windows: list[tuple[int, int]]) -> None:
    check_history(history, windows)


@pytest.mark.full
@any_history(600)
def test_many_histories(app: None, history: list[Batch | Rewind], windows: list[tuple[int, int]]) -> None:
    check_history(history, windows)


@pytest.mark.parametrize("name", HISTORIES)
def test_known_histories(app: None, name: str) -> None:
    check_history(HISTORIES[name], [(0, 40), (50, 300), (100, 4_000)])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    points=st.lists(st.tuples(st.integers(-50, 50), st.one_of(st.none(), numbers)), min_size=1, max_size=80),
    cuts=st.lists(st.integers(0, 80), max_size=5),
)
def test_statistics_do_not_depend_on_the_batches(points: list[tuple[int, float | None]], cuts: list[int]) -> None:
    def add(stat: Any, part: list[tuple[int, float | None]]) -> Any:
        values = [None if y is None else encode_number(y) for _, y in part]
        return statistics.add_column(stat, np.array([x for x, _ in part], dtype=np.int64), column_of(values))

    stats = []
    for small in (0, 1_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(statistics, "LOOP_MAX_VALUES", small)
            stats.append(add(None, points))
            stat = add(None, [])
            for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(points)], strict=True):
                stat = add(stat, points[start:end])
            stats.append(stat)
    for stat in stats[1:]:
        assert stat == stats[0]
