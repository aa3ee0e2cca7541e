"""Points, marks and rewinds of several writers, delivered in any order: what stays agrees with a simple model."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losswise_server.accounts.permissions import Access
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.exceptions import ApiError
from losswise_server.ingest import pipeline, session_state
from losswise_server.ingest.decoding import convert_records
from losswise_server.ingest.schema import Batch
from losswise_server.points import store
from losswise_server.points.summaries import SummaryState
from sqlalchemy import select

from losswise.protocol import records
from losswise.protocol.records import encode_number
from tests.server.ingest.expected_points import WRITERS, End, Expected, Mark, Points, Record, Rewind, Stored
from tests.server.points.expected import (
    Model,
    Point,
    check_levels,
    check_series,
    check_statistics,
    record_of,
    set_small_limits,
)
from tests.support.application import DirectWriting

TITLES = ("loss", "epoch")


class Delivery(NamedTuple):
    """The next `new` records of a writer, behind the last `again` of those that were delivered before."""

    writer: int
    new: int
    again: int = 0
    is_replay: bool = False


class History(NamedTuple):
    """What each writer records, and how it is delivered."""

    writers: tuple[tuple[Record, ...], ...]
    deliveries: tuple[Delivery, ...]


# histories

times = st.integers(0, 60).map(float)
flags = st.booleans()
xs = st.one_of(st.integers(-3, 40), st.integers(0, 3_000))


@st.composite
def points_of(draw: st.DrawFn) -> Points:
    start, stride, begun = draw(xs), draw(st.sampled_from([0, 1, 1, 1, 7])), draw(times)
    count = draw(st.sampled_from([1, 2, 5, 60]))
    values = draw(st.lists(st.sampled_from([0.0, 1.5, -2.0, float("nan"), float("inf")]), min_size=1, max_size=4))
    names = draw(st.sampled_from([("a",), ("b",), ("a", "b")]))
    pace = draw(st.sampled_from([0.0, 0.1, 1.0]))
    made = [
        Point(start + stride * number, begun + pace * number, {name: values[number % len(values)] for name in names})
        for number in range(count)
    ]
    return Points(draw(st.integers(0, 1)), tuple(made))


@st.composite
def rewinds_of(draw: st.DrawFn) -> Rewind:
    since = draw(st.one_of(st.none(), times, times))
    named = draw(st.dictionaries(st.integers(0, WRITERS - 1), st.integers(1, 4), max_size=3))
    return Rewind(draw(xs), draw(times), since, tuple(named.items()))


@st.composite
def histories(draw: st.DrawFn) -> History:
    writers = []
    for _ in range(draw(st.integers(1, WRITERS))):
        made: list[Record] = []
        mark = 0
        for kind in draw(st.lists(st.sampled_from("pppmmre"), min_size=1, max_size=7)):
            if kind == "p":
                made.append(draw(points_of()))
            elif kind == "m":
                mark += draw(st.sampled_from([1, 1, 2]))
                made.append(Mark(mark, draw(st.one_of(st.none(), st.none(), times))))
            else:
                made.append(draw(rewinds_of()) if kind == "r" else End())
        writers.append(tuple(made))
    deliveries = [
        Delivery(draw(st.integers(0, len(writers) - 1)), draw(st.integers(1, 4)), draw(st.integers(0, 3)), draw(flags))
        for _ in range(draw(st.integers(1, 12)))
    ]
    rest = [Delivery(writer, 7, 0, draw(flags)) for writer in draw(st.permutations(range(len(writers))))]
    return History(tuple(writers), (*deliveries, *rest))


def set_parts(patch: pytest.MonkeyPatch) -> None:
    """Have rewinds made in parts of about ten points, of which a request makes one."""
    patch.setattr(session_state, "FEW_POINTS", 0)
    patch.setattr("losswise_server.points.rewind.MAX_POINTS_AT_ONCE", 10)
    patch.setattr("losswise_server.points.rewind.MAX_POINTS_SEARCHED", 15)
    patch.setattr(pipeline, "REWIND_SLICE_S", 0.0)
    patch.setattr(pipeline, "MAX_REWIND_S", -1.0)


def send(batch: Batch, access: Access) -> int:
    """Send a batch until it is applied; returns how often the server was busy with a part of a rewind."""
    for attempt in range(1_000):
        try:
            pipeline.apply(batch, access)
            return attempt
        except ApiError as error:
            if error.code != "busy":
                raise
    raise AssertionError("the server stays busy")


def check(history: History, in_parts: bool = False) -> Expected:
    """Compare what the server stores with the model, which is returned."""
    with pytest.MonkeyPatch.context() as patch:
        set_small_limits(patch)
        if in_parts:
            set_parts(patch)
        direct = DirectWriting()
        graphs = [direct.graph(title) for title in TITLES]
        ids = [records.new_id() for _ in range(WRITERS)]
        expected = Expected()
        delivered = [0] * len(history.writers)

        def encoded(record: Record) -> dict[str, Any]:
            if isinstance(record, Points):
                return record_of(graphs[record.graph], list(record.points))
            if isinstance(record, Mark):
                return records.mark_record(*record)
            if isinstance(record, End):
                return records.status_record(record.status, time.time())
            kept = {ids[writer]: mark for writer, mark in record.kept}
            return records.rewind_record(record.after, record.until, None, record.since, kept)

        for delivery in history.deliveries:
            sent = history.writers[delivery.writer]
            start = delivered[delivery.writer]
            end = min(start + delivery.new, len(sent))
            first = max(0, start - delivery.again)
            batch = convert_records([encoded(record) for record in sent[first:end]])
            fields = {"writer": ids[delivery.writer], "seq": end, "replay": delivery.is_replay}
            if batch:
                expected.parts += send(Batch(direct.session, batch, **fields), direct.access)
                if not delivery.is_replay:
                    expected.note_heard(delivery.writer)
            for index in range(start, end):
                expected.receive(delivery.writer, index + 1, sent[index], delivery.is_replay)
            delivered[delivery.writer] = end
        compare(direct, expected)
        return expected


def compare(direct: DirectWriting, expected: Expected) -> None:
    with reading() as connection:
        row = connection.execute(select(Session.__table__).where(Session.id == direct.session)).one()
        assert row.points == len(expected.points)
        for index in range(len(TITLES)):
            model = Model([one.point for one in expected.points if one.graph == index])
            ref = store.graph_ref(connection, row.key, index + 1)
            stored = [(point.x, point.t, point.y) for point in store.select(ref)]
            in_order = sorted(model.points, key=lambda point: point.x)
            assert stored == [(p.x, p.t, {name: encode_number(y) for name, y in p.y.items()}) for p in in_order]
            state = SummaryState.load(row.summary_states.get(str(index + 1)))
            check_levels(ref, state)
            check_statistics(row, model, index + 1)
            check_series(ref, state, model, None, None)


def any_history(examples: int) -> Callable[[Any], Any]:
    def decorate(test: Any) -> Any:
        limits = settings(
            max_examples=examples, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
        )
        return limits(given(history=histories(), in_parts=flags)(test))

    return decorate


@pytest.mark.full_on_postgresql
@any_history(60)
def test_any_history(app: None, history: History, in_parts: bool) -> None:
    check(history, in_parts)


@pytest.mark.full
@any_history(1_500)
def test_many_histories(app: None, history: History, in_parts: bool) -> None:
    check(history, in_parts)


def run(graph: int, first: int, last: int, begun: float) -> Points:
    """A point each second."""
    return Points(graph, tuple(Point(x, begun + x - first, {"a": float(x)}) for x in range(first, last)))


LOSS, EPOCH = 0, 1
ALL = 99
BEFORE: tuple[Record, ...] = (run(LOSS, 0, 100, 100.0), run(EPOCH, 0, 3, 110.0))
AFTER: tuple[Record, ...] = (run(LOSS, 100, 130, 210.0), run(EPOCH, 0, 2, 220.0), run(LOSS, 130, 160, 240.0))
KILLED = (*BEFORE, Mark(1), *AFTER)
"""A run with a checkpoint at x = 100, saved at 200. It counts epochs from 0 again."""
BACK = Rewind(99, 500.0, 200.0, ((0, 1),))
MORE: tuple[Record, ...] = (run(LOSS, 100, 150, 501.0), run(EPOCH, 0, 2, 510.0))
LAST: tuple[Record, ...] = (run(LOSS, 150, 180, 560.0), run(EPOCH, 2, 4, 570.0))
RESUMED = (BACK, *MORE, Mark(1), *LAST)
"""The run that goes on from there, with a checkpoint at x = 150, saved at 555."""
AGAIN = (Rewind(99, 800.0, 200.0, ((0, 1),)), run(LOSS, 100, 120, 801.0))
FURTHER = (Rewind(149, 800.0, 555.0, ((0, 1), (1, 1))), run(LOSS, 150, 170, 801.0))
OTHER: tuple[Record, ...] = (run(EPOCH, 0, 60, 150.0), run(LOSS, 90, 150, 250.0))
"""What another process records meanwhile, which does not train."""


def whole(*writers: int, replay: bool = False) -> tuple[Delivery, ...]:
    """All of these writers, one after the other."""
    return tuple(Delivery(writer, ALL, 0, replay) for writer in writers)


ORDERS: dict[str, tuple[Delivery, ...]] = {
    "in time": whole(0, 1),
    "batches sent twice": (Delivery(0, 4), Delivery(0, 2, 3), *whole(1)),
    "left over from before the mark": (Delivery(0, 1), *whole(1), *whole(0, replay=True)),
    "left over from after the mark": (Delivery(0, 4), *whole(1), *whole(0, replay=True)),
    "all left over": (*whole(1), *whole(0, replay=True)),
    "sent late by a live writer": (Delivery(0, 1), *whole(1, 0)),
    "the second in parts": (Delivery(0, 4), Delivery(1, 2), Delivery(0, 1, 2, True), *whole(1), *whole(0, replay=True)),
}


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_a_resumed_run_is_the_same_in_any_order(app: None, order: str, in_parts: bool) -> None:
    expected = check(History((KILLED, RESUMED), ORDERS[order]), in_parts)
    kept = {(writer, record) for writer, record, _, _ in expected.points}
    assert kept == {(0, 1), (0, 2), (1, 2), (1, 3), (1, 5), (1, 6)}
    assert len(expected.points) == 103 + 52 + 32


HISTORIES: dict[str, History] = {
    "resumed again from the older checkpoint": History((KILLED, RESUMED, AGAIN), whole(0, 1, 2)),
    "resumed from a checkpoint of the resumed": History((KILLED, RESUMED, FURTHER), whole(0, 1, 2)),
    "the same in the wrong order": History((KILLED, RESUMED, FURTHER), whole(2, 1, 0, replay=True)),
    "again in the same process": History(((*KILLED, BACK, *MORE),), whole(0)),
    "in the same process after its end": History(
        ((*KILLED, End()), (run(LOSS, 3, 5, 490.0), run(LOSS, 120, 130, 495.0), *RESUMED)), whole(0, 1)
    ),
    "beside one that does not train": History(
        (KILLED, RESUMED, OTHER), (Delivery(2, 1), *whole(0), Delivery(2, 1), *whole(1))
    ),
    "beside one that does not train, late": History((KILLED, RESUMED, OTHER), whole(0, 1, 2, replay=True)),
    "the clock was set back": History(((*BEFORE, Mark(1), run(EPOCH, 3, 9, 20.0)), RESUMED), whole(0, 1)),
    "the clock was set forward": History(((*BEFORE, Mark(1), run(EPOCH, 3, 9, 900.0), End()), RESUMED), whole(0, 1)),
    "it was still alive, and goes on": History(
        ((*KILLED, run(LOSS, 160, 170, 490.0), run(LOSS, 170, 180, 600.0)), RESUMED),
        (Delivery(0, 5), *whole(1, 0)),
    ),
    "a mark is lost": History(((*BEFORE, run(LOSS, 100, 110, 201.0), Mark(2), *AFTER), RESUMED), whole(0, 1)),
    "no mark has come": History((BEFORE, RESUMED), whole(0, 1)),
    "a late mark": History(((*BEFORE, Mark(1, 215.0), *AFTER), RESUMED), whole(0, 1)),
    "a plain rewind": History((KILLED, (Rewind(99, 500.0), *MORE)), whole(0, 1)),
    "many marks": History(
        (
            tuple(one for x in range(30) for one in (run(x % 2, x, x + 1, x), Mark(x + 1))),
            (Rewind(19, 500.0, 20.0, ((0, 20),)),),
            (Rewind(3, 600.0, 4.0, ((0, 4),)),),
        ),
        whole(0, 1, 2),
    ),
}


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("name", HISTORIES)
def test_known_histories(app: None, name: str, in_parts: bool) -> None:
    check(HISTORIES[name], in_parts)


def test_a_rewind_to_a_mark_is_made_in_parts(app: None) -> None:
    """Each request deletes some; the points of both graphs go, those that count epochs from 0 again as well."""
    assert check(History((KILLED, RESUMED), ORDERS["in time"])).parts == 0
    assert check(History((KILLED, RESUMED), ORDERS["in time"]), in_parts=True).parts >= 6


def test_records_that_arrive_between_the_parts(app: None) -> None:
    """The rest of the killed run's journal comes while its rewind is made; the rewind is then sent again."""
    with pytest.MonkeyPatch.context() as patch:
        set_small_limits(patch)
        set_parts(patch)
        direct = DirectWriting()
        graph = direct.graph("loss")
        direct.send(record_of(graph, list(run(LOSS, 0, 100, 100.0).points)), records.mark_record(1))
        direct.send(record_of(graph, list(run(LOSS, 100, 150, 210.0).points)))
        again = convert_records([records.rewind_record(99, 500.0, None, 200.0, {direct.writer: 1})])
        batch = Batch(direct.session, again, records.new_id(), 1)
        left = []
        for index in range(3):
            with pytest.raises(ApiError):
                pipeline.apply(batch, direct.access)
            direct.send(record_of(graph, list(run(LOSS, 50 + index, 52 + index, 300.0).points)))
            left.append(points_of_session(direct))
        assert 100 < left[-1] < 150
        send(batch, direct.access)
        expected = Expected()
        expected.points = [Stored(0, 1, LOSS, point) for point in run(LOSS, 0, 100, 100.0).points]
        compare(direct, expected)
        send(batch, direct.access)  # after a lost response
        compare(direct, expected)


def points_of_session(direct: DirectWriting) -> int:
    with reading() as connection:
        query = select(Session.__table__.c.points).where(Session.id == direct.session)
        return int(connection.execute(query).scalar_one())


def test_what_does_not_train_keeps_its_axis(app: None) -> None:
    """As an evaluation of older checkpoints, which another process records into the session."""
    expected = check(HISTORIES["beside one that does not train"])
    of_other = [one.point.x for one in expected.points if one.writer == 2 and one.graph == LOSS]
    assert of_other == list(range(90, 100))
    assert len([one for one in expected.points if one.writer == 2 and one.graph == EPOCH]) == 60
