"""The rewinds that a session remembers, and late points that they delete."""

from __future__ import annotations

import pytest
from losswise_server.ingest.rewinds import MAX_REWINDS, Rewind, add_rewind, drop_rewound
from losswise_server.points.columns import of_record

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
    ],
)
def test_a_rewind_that_a_later_one_covers_is_forgotten(new: Rewind, stays: bool) -> None:
    assert add_rewind([FIRST], new) == ([FIRST, new] if stays else [new])


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
    assert drop_rewound(points, rewinds, graph, writer).x.tolist() == left


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
