"""Which rewinds a session remembers."""

from __future__ import annotations

from typing import Any

import pytest
from losswise_server.ingest.session_state import REMEMBERED, remember

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server

FIRST = [10, 100.0, None, "w"]


@pytest.mark.parametrize(
    ("new", "stays"),
    [
        ([10, 101.0, None, "w"], False),
        ([5, 100.0, None, "w"], False),
        ([11, 200.0, None, "w"], True),  # 11 was taken back only by the first
        ([5, 99.0, None, "w"], True),
        ([5, 200.0, "graph", "w"], True),
        ([5, 200.0, None, "other"], True),
    ],
)
def test_what_a_later_one_covers_is_forgotten(new: list[Any], stays: bool) -> None:
    assert remember([FIRST], new) == ([FIRST, new] if stays else [new])


def test_they_are_bounded() -> None:
    rewinds: list[list[Any]] = []
    for number in range(REMEMBERED + 5):
        rewinds = remember(rewinds, [number, 100.0, None, "w"])
    assert len(rewinds) == REMEMBERED
    assert rewinds[0][0] == 5


def test_a_left_over_journal_brings_back_nothing_after_many_rewinds(server: Server) -> None:
    """A notebook's cell takes its steps back each time it runs."""
    run = Writing(server)
    graph = run.graph()
    for number in range(5):
        run.send(records.rewind_record(-1, 100.0 + 10 * number))
        run.points(graph, [0, 1], [101.0 + 10 * number] * 2, a=[float(number)] * 2)
    left = records.points_record(graph, [0, 1, 2], [125.0] * 3, {"a": [-1.0] * 3})
    answer = server.post_batch(run.session, [left], writer=records.new_id(), seq=1, replay=True)
    assert answer.status_code == 200
    assert server.points(graph)["a"]["y"] == [4.0, 4.0]
