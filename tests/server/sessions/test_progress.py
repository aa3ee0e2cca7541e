"""Progress that an integration tells, beside points whose x are something else."""

from __future__ import annotations

import time

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.server import Server


def told(run: Writing) -> tuple[int | None, int | None, float | None]:
    row = run.row()
    return row["steps"], row["last_x"], row["progress"]


def test_only_the_steps_count_once_they_are_told(server: Server) -> None:
    run = Writing(server, max_iter=100)
    graph = run.graph()
    now = time.time()
    run.points(graph, [59], a=[1.0])
    assert told(run) == (None, 59, 0.6)
    run.send(records.progress_record(10, now - 20))
    assert told(run) == (10, 9, 0.1)
    run.points(graph, [5_000], a=[1.0])
    run.send(records.progress_record(20, now - 10))
    assert told(run) == (20, 19, 0.2)
    eta = run.row()["eta"]
    assert eta is not None
    assert abs(eta - (time.time() + 80)) < 5, "ten steps in ten seconds"


def test_the_first_step(server: Server) -> None:
    run = Writing(server, max_iter=100)
    run.send(records.progress_record(0, 10.0))
    assert told(run) == (0, None, 0.0)
    run.send(records.progress_record(1, 11.0))
    assert told(run) == (1, 0, 0.01)


def test_a_rewind_sets_them_back(server: Server) -> None:
    run = Writing(server, max_iter=100)
    run.send(records.progress_record(50, 10.0), records.rewind_record(29, 20.0))
    assert told(run) == (30, 29, 0.3)
    run.send(records.rewind_record(79, 25.0))
    assert told(run) == (30, 29, 0.3)
    run.send(records.progress_record(31, 30.0), records.rewind_record(-1, 40.0))
    assert told(run) == (0, None, 0.0)


def test_a_rewind_of_one_graph_does_not(server: Server) -> None:
    run = Writing(server, max_iter=100)
    graph = run.graph()
    run.points(graph, [7], a=[1.0])
    run.send(records.progress_record(50, 10.0), records.rewind_record(-1, time.time(), graph))
    assert told(run) == (50, 49, 0.5)


def test_a_journal_that_comes_later_does_not(server: Server) -> None:
    first = Writing(server, max_iter=100)
    again = Writing(server, session=first.session)
    again.send(records.rewind_record(29, 100.0), records.progress_record(40, 110.0))
    first.send(records.progress_record(50, 60.0), records.rewind_record(9, 70.0), replay=True)
    first.send(records.progress_record(60, 80.0))
    assert told(again) == (40, 39, 0.4)
    again.send(records.progress_record(41, 111.0))
    assert told(again) == (41, 40, 0.41)


def test_a_second_training_that_starts_anew(server: Server) -> None:
    run = Writing(server, max_iter=100)
    now = time.time()
    run.send(records.progress_record(90, now - 30), records.progress_record(99, now - 20))
    run.send(records.progress_record(5, now - 10), records.progress_record(10, now - 5))
    assert told(run) == (10, 9, 0.1)
    assert abs(run.row()["eta"] - (time.time() + 90)) < 5, "a step a second"


def test_without_a_total(server: Server) -> None:
    run = Writing(server)
    run.send(records.progress_record(10, 10.0))
    assert told(run) == (10, 9, None)


def test_the_table_is_sorted_by_it(server: Server) -> None:
    ids = []
    for steps in (30, 10, 20):
        run = Writing(server, max_iter=100, tag="sorted by progress")
        run.points(run.graph(), [99 - steps], a=[1.0])
        run.send(records.progress_record(steps, 10.0))
        ids.append(run.session)
    for sort in ("progress", "last_x"):
        found = server.get("/api/v2/sessions", q="sorted by progress", sort=sort)["sessions"]
        assert [one["id"] for one in found if one["id"] in ids] == [ids[1], ids[2], ids[0]]
