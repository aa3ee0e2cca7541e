"""The rewinds that a session remembers, and late points that they delete."""

from __future__ import annotations

import pytest
from losswise_server.ingest.rewinds import (
    MAX_KEPT_WRITERS,
    MAX_REWINDS,
    Kept,
    Rewind,
    add_kept,
    add_rewind,
    drop_rewound,
)
from losswise_server.points.columns import of_record
from losswise_server.sessions.status import WriterState

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server

FIRST = Rewind(10, 100.0, None, "w")


@pytest.mark.parametrize(
    ("new", "stays"),
    [
        (Rewind(10, 101.0, None, "w"), False),
        (Rewind(5, 100.0, None, "w"), False),
        (Rewind(11, 200.0, None, "w"), True),  # only the first deletes x = 11
        (Rewind(5, 99.0, None, "w"), True),
        (Rewind(5, 200.0, "graph", "w"), True),
        (Rewind(5, 200.0, None, "other"), True),
        (Rewind(5, 200.0, None, "w", 50.0), True),  # only the first deletes what is older than 50
    ],
)
def test_a_rewind_that_a_later_one_covers_is_forgotten(new: Rewind, stays: bool) -> None:
    assert add_rewind([FIRST], new) == ([FIRST, new] if stays else [new])


@pytest.mark.parametrize(("since", "stays"), [(50.0, False), (49.0, False), (51.0, True), (None, True)])
def test_a_rewind_to_a_checkpoint_is_covered_by_one_to_an_earlier(since: float | None, stays: bool) -> None:
    first, new = FIRST._replace(since=50.0), FIRST._replace(since=since)
    assert add_rewind([first], new) == ([first, new] if stays else [new])


def test_the_least_mark_is_kept() -> None:
    known = add_kept({}, "w", Kept(3, 50.0, 100.0, record=17))
    known = add_kept(known, "v", Kept(1, 50.0, 100.0))
    assert add_kept(known, "w", Kept(4, 60.0, 200.0)) == {
        "v": Kept(1, 50.0, 100.0),
        "w": Kept(3, 50.0, 200.0, record=17),
    }
    assert add_kept(known, "w", Kept(2, 40.0, 90.0))["w"] == Kept(2, 40.0, 100.0)


def test_the_writers_kept_are_bounded() -> None:
    known: dict[str, Kept] = {}
    for number in range(MAX_KEPT_WRITERS + 5):
        known = add_kept(known, f"{number}", Kept(1, 50.0, 100.0))
    assert next(iter(known)) == "5"
    assert len(known) == MAX_KEPT_WRITERS


def test_rewinds_are_bounded() -> None:
    rewinds: list[Rewind] = []
    for number in range(MAX_REWINDS + 5):
        rewinds = add_rewind(rewinds, Rewind(number, 100.0, None, "w"))
    assert len(rewinds) == MAX_REWINDS
    assert rewinds[0].after == 5


@pytest.mark.parametrize(
    ("graph", "writer", "left"),
    [
        ("a", "other", [9, 10, 12]),
        ("a", "w", [9, 10, 11, 12]),  # the rewind's own writer
        ("a", None, [9, 10, 12]),
        ("b", "other", [9, 10, 11, 12]),
    ],
)
def test_points_that_a_rewind_deletes_are_dropped(graph: str, writer: str | None, left: list[int]) -> None:
    points = of_record([9, 10, 11, 12], [50.0, 50.0, 100.0, 100.5], {"y": [1.0, 2.0, 3.0, 4.0]})
    rewinds = [Rewind(10, 100.0, "a", "w")]
    state = None if writer is None else WriterState(writer, 1, 0.0, 0.0)
    assert drop_rewound(points, rewinds, graph, state).x.tolist() == left


def test_a_late_journal_brings_back_nothing_after_many_rewinds(server: Server) -> None:
    """As when a notebook's cell is run again and again."""
    run = Writing(server)
    graph = run.graph()
    for number in range(5):
        run.send(records.rewind_record(-1, 100.0 + 10 * number))
        run.points(graph, [0, 1], [101.0 + 10 * number] * 2, a=[float(number)] * 2)
    left = records.points_record(graph, [0, 1, 2], [125.0] * 3, {"a": [-1.0] * 3})
    answer = server.post_batch(run.session, [left], writer=records.new_id(), seq=1, replay=True)
    assert answer.status_code == 200
    assert server.points(graph)["a"]["y"] == [4.0, 4.0]


def test_marks_and_steps_of_any_form(server: Server) -> None:
    run = Writing(server)
    for bad in ({"mark": 0}, {"mark": "1"}, {"mark": True}, {"steps": -1}, {"steps": 1.5}, {"t": "yesterday"}):
        record = {**records.values_record({}), **bad}
        assert server.post_batch(run.session, [record], writer=run.writer, seq=run.seq + 1).status_code == 422
    many = {f"{number:020x}": 1 for number in range(101)}
    for worse in ({"kept": many}, {"kept": {"w": 1}}, {"kept": {run.writer: 0}}, {"since": -1.0}):
        record = {**records.rewind_record(0, 1.0, None, 0.5, {}), **worse}
        assert server.post_batch(run.session, [record], writer=run.writer, seq=run.seq + 1).status_code == 422
    run.send(
        {**records.values_record({"a": 1}), "mark": None, "steps": None, "t": None},
        {**records.values_record({}), "steps": 5},  # without a time it says nothing
        {**records.rewind_record(0, 1.0), "since": None, "kept": None},
        {**records.rewind_record(0, 1.0), "kept": {run.writer: 1}},  # without a time it is a plain one
    )
    assert (run.row()["values"], run.row()["steps"]) == ({"a": 1}, None)


def test_an_only_graph_is_rewound_to_a_checkpoint(server: Server) -> None:
    run = Writing(server)
    one, other = run.graph("one"), run.graph("other")
    run.send(records.mark_record(1))
    for graph in (one, other):
        run.points(graph, [0, 1], [50.0, 60.0], a=[1.0, 2.0])
    run.send(records.rewind_record(9, 100.0, one, 40.0, {run.writer: 1}))
    assert server.points(one) == {}
    assert server.points(other)["a"]["x"] == [0, 1]


def test_a_mark_that_is_sent_twice(server: Server) -> None:
    """As by a client whose counter was set back: the first counts."""
    run = Writing(server)
    graph = run.graph()
    run.send(records.mark_record(1))
    run.points(graph, [0], [50.0], a=[1.0])
    run.send(records.mark_record(1))
    run.points(graph, [1], [60.0], a=[1.0])
    run.send(records.rewind_record(-1, 100.0, None, 40.0, {run.writer: 1}))
    assert server.points(graph) == {}
