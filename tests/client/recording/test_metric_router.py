"""`Session.log`: one row for the graphs of all names, and the order in which points arrive."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import numpy as np
import pytest

import losswise
from losswise.integrations.base import session_options
from losswise.recording import metric_router
from losswise.recording.point_buffer import MAX_ROWS_PER_TAKE, PointBatch, PointBuffer, SharedPointBuffer
from tests.client.fake_server import FakeServer
from tests.support.server import eventually


def test_names_arrive_on_their_graphs_with_the_same_x_and_time(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        for x in range(500):
            session.log({"train_loss": x / 2, "accuracy": 1 - x / 500, "val_loss": x, "lr": np.float64(0.1)}, x)
    assert recorder.points("train_loss") == [(x, x / 2) for x in range(500)]
    assert recorder.points("accuracy") == [(x, 1 - x / 500) for x in range(500)]
    assert recorder.points("val_loss") == [(x, float(x)) for x in range(500)]
    assert recorder.points("lr") == [(x, 0.1) for x in range(500)]
    assert [graph["title"] for graph in recorder.records("graph")] == ["loss", "accuracy", "lr"]
    times = {
        title: [t for record in recorder.records("points") if record["graph"] == id for t in record["t"]]
        for title, id in ((graph["title"], graph["id"]) for graph in recorder.records("graph"))
    }
    assert times["loss"][1:] == times["accuracy"][1:]  # the first of a set of names finds its graphs one by one
    assert times["loss"] == sorted(times["loss"])
    assert abs(times["loss"][-1] - time.time()) < 60


def test_log_and_append_on_one_graph_keep_their_order(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        for x in range(0, 30_000, 3):
            session.log({"train_loss": float(x), "accuracy": 0.5}, x)
            graph.append(x + 1, {"train_loss": float(x + 1)})
            graph.append(np.int64(x + 2), {"train_loss": np.float32(x + 2)})
    assert recorder.points("train_loss") == [(x, float(x)) for x in range(30_000)]


def test_two_threads_that_log_first_at_once_count_x_together(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = metric_router.MetricRouter

    class Slow(router):  # type: ignore[misc,valid-type]
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            if threading.current_thread() is not threading.main_thread():
                time.sleep(0.3)

    monkeypatch.setattr(metric_router, "MetricRouter", Slow)
    with losswise.Session(track_git=False) as session:
        late = threading.Thread(target=session.log, args=({"loss": 1.0},))
        late.start()
        time.sleep(0.05)
        session.log({"loss": 0.0})
        late.join()
        session.log({"loss": 2.0})
    assert recorder.points("loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_an_x_of_its_own_goes_on_with_any_kind_of_value(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        for value in (0.5, np.float32(1.5), 2, True, 3.5):
            session.log({"loss": value})
        session.log({"loss": 4.5}, 10)
        session.log({"loss": 5.5})
        session.log({})
    assert recorder.points("loss") == [(0, 0.5), (1, 1.5), (2, 2.0), (3, 1.0), (4, 3.5), (10, 4.5), (11, 5.5)]


def test_what_is_no_number_or_no_x_is_left_out_alone(recorder: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    with losswise.Session(track_git=False) as session:
        for x in range(4):
            session.log({"loss": "much" if x == 1 else 0.5, "accuracy": 0.25}, x)
        session.log({"loss": 0.75, "accuracy": 0.75}, 2**70)
        session.log({"loss": 10**400, "accuracy": 0.75}, 5)
    assert recorder.points("loss") == [(0, 0.5), (2, 0.5), (3, 0.5), (5, "Infinity")]
    assert recorder.points("accuracy") == [(0, 0.25), (1, 0.25), (2, 0.25), (3, 0.25), (5, 0.75)]
    errors = capsys.readouterr().err
    assert "the value of 'loss' is not a number ('much')" in errors
    assert "x must be a finite number of 64 bits" in errors


def test_a_graph_that_is_thinned_stays_so(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        session.graph("loss", display_interval=10)
        for x in range(100):
            session.log({"loss": 0.5, "accuracy": 0.25}, x)
    assert [x for x, _y in recorder.points("loss")] == list(range(0, 100, 10))
    assert [x for x, _y in recorder.points("accuracy")] == list(range(100))


def test_threads_that_log_together_lose_nothing(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)

    def log(which: int) -> None:
        for x in range(20_000):
            session.log({"loss": float(which), "accuracy": 0.5}, x)

    threads = [threading.Thread(target=log, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.done()
    points = recorder.points("loss")
    for which in range(4):
        assert [x for x, y in points if y == which] == list(range(20_000))
    assert len(recorder.points("accuracy")) == 80_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_leaves_the_parents_points_alone(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, console=False)
    session.log({"loss": -1.0, "accuracy": 0.5}, 0)
    session.flush()
    for x in range(1, 200):
        session.log({"loss": 1.0, "accuracy": 0.5}, x)
    child = os.fork()
    if child == 0:
        try:
            session.log({"loss": 2.0, "accuracy": 0.5}, 1_000)
            session.log({"loss": 2.0, "accuracy": 0.5}, 1_001)
            session.done()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    session.done()
    expected = [(0, -1.0), *((x, 1.0) for x in range(1, 200)), (1_000, 2.0), (1_001, 2.0)]
    assert sorted(recorder.points("loss")) == expected


def test_after_the_session_was_deleted_nothing_gathers(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, console=False)
    session.log({"loss": 1.0}, 0)
    session.log({"loss": 1.0}, 1)
    session.flush()
    recorder.answer = lambda batch: (410, {"error": "gone", "code": "deleted_session"}, {})
    session.log({"loss": 1.0}, 2)
    queue = session._queue
    eventually(lambda: queue.closed)
    for x in range(1_000):
        session.log({"loss": 1.0}, x)
    assert not queue.shared
    assert not queue.has_work()


def test_labels_are_those_of_the_name_that_makes_the_graph(recorder: FakeServer) -> None:
    with losswise.Session(**session_options(None, None, None, {"track_git": False})) as session:
        session.label_axes(lambda name: ("batch", "mean" if name == "loss" else ""))
        session.log({"loss": 1.0, "val_loss": 2.0, "accuracy": 0.5}, 0)
    shown = {graph["title"]: (graph["xlabel"], graph["ylabel"]) for graph in recorder.records("graph")}
    assert shown == {"loss": ("batch", "mean"), "accuracy": ("batch", "")}


def test_a_thread_that_is_late_with_a_row_blocks_no_other() -> None:
    columns = PointBuffer(("a",))
    numbers = [
        7_000,
        *range(MAX_ROWS_PER_TAKE - 1),
        6_999,
        *range(10_000, 10_010),
    ]  # two are late, by thousands of rows
    for number in numbers:
        columns.rows.extend(columns.pack(number, number, 0.0, 0.0))
    taken: list[int] = []
    while True:
        beyond = columns.take_limit()
        points = columns.take(20_000 if beyond is None else beyond)
        if points is None:
            break
        taken += points.numbers
    assert taken == numbers


def test_a_buffer_of_several_graphs_gives_each_its_names() -> None:
    got: dict[str, list[PointBatch]] = {"left": [], "right": []}
    spread = SharedPointBuffer(("a", "b", "c"), [(got["left"].append, ("a", "c")), (got["right"].append, ("b",))])
    for number in range(10):
        spread.rows.extend(spread.pack(number, number * 2, 0.5, 1.0, 2.0, 3.0))
    assert spread.distribute(4)
    assert spread.distribute(10)
    assert not spread.distribute(10)
    left, right = got["left"], got["right"]
    assert (
        [list(points.x) for points in left]
        == [list(points.x) for points in right]
        == [[0, 2, 4, 6], list(range(8, 20, 2))]
    )
    assert {name: list(y) for name, y in left[0].y.items()} == {"a": [1.0] * 4, "c": [3.0] * 4}
    assert {name: list(y) for name, y in right[1].y.items()} == {"b": [2.0] * 6}
    assert left[0].split(2) == (
        PointBatch(left[0].numbers[:2], left[0].x[:2], left[0].t[:2], {name: y[:2] for name, y in left[0].y.items()}),
        PointBatch(left[0].numbers[2:], left[0].x[2:], left[0].t[2:], {name: y[2:] for name, y in left[0].y.items()}),
    )
    assert left[0].split(0) == (None, left[0])
    assert left[0].split(9) == (left[0], None)
