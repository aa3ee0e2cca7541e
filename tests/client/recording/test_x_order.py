"""A graph whose steps are not whole numbers has the order of arrival as x, and what was given as a quantity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import losswise
from losswise.protocol.limits import INT64_MAX
from tests.client.fake_server import FakeServer
from tests.support.server import Server


def test_fractional_epochs(recorder: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        for step in range(6):
            graph.append(step / 2, {"train": float(step)})
    # the first is a whole number, 0
    assert recorder.points("train") == [(x, float(x)) for x in range(6)]
    assert recorder.points("x") == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0), (5, 2.5)]
    lines = [line for line in capsys.readouterr().err.splitlines() if "order of arrival" in line]
    assert len(lines) == 1
    assert "graph 'loss': 0.5 is not a whole number" in lines[0]


def test_the_order_goes_on_above_what_the_graph_has(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        for x in (3, 100, 7):
            graph.append(x, {"a": 1.0})
        session.flush()
        graph.append(np.float32(0.25), {"a": 2.0, "b": 2.0})
        graph.append(5, {"a": 3.0})
        session.flush()
        graph.append(6, {"a": 4.0})
    assert recorder.points("a") == [(3, 1.0), (100, 1.0), (7, 1.0), (101, 2.0), (102, 3.0), (103, 4.0)]
    assert recorder.points("b") == [(101, 2.0)]
    assert recorder.points("x") == [(101, 0.25), (102, 5), (103, 6)]


def test_other_graphs_of_the_same_log_keep_their_x(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0.5, {"train_loss": -1.0})
        for x in range(3_000):  # in a buffer that both graphs share
            session.log({"train_loss": float(x), "accuracy": 0.5}, x)
        session.log({"train_loss": 3_000.0, "accuracy": 0.75}, 2_999.5)
        session.log({"train_loss": 3_001.0, "accuracy": 1.0})  # the whole number after that
    assert [x for x, _y in recorder.points("train_loss")] == list(range(3_003))
    assert [y for _x, y in recorder.points("train_loss")] == [-1.0, *map(float, range(3_002))]
    accuracy = recorder.points("accuracy")
    assert [x for x, _y in accuracy] == [*range(3_000), 3_000, 3_001]
    assert recorder.points("x")[:3] == [(0, 0.5), (1, 0), (2, 1)]


def test_a_metric_of_that_name_keeps_it(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        for step in range(3):
            session.graph("position").append(step + 0.5, {"x": float(-step), "y": 1.0})
    assert recorder.points("x") == [(0, 0.0), (1, -1.0), (2, -2.0)]
    assert recorder.points("x as given") == [(0, 0.5), (1, 1.5), (2, 2.5)]


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf, 2.0**63, -(2.0**64), 10**30, "0.5", 1j, None, [0.5]])
def test_what_is_no_number_of_64_bits_is_ignored_with_one_warning(
    recorder: FakeServer, capsys: pytest.CaptureFixture[str], x: Any
) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        for _ in range(3):
            graph.append(x, {"a": 1.0})
        graph.append(4, {"a": 2.0})
    assert recorder.points("a") == [(4, 2.0)]
    assert capsys.readouterr().err.count("x must be a finite number of 64 bits") == 1


def test_beside_the_greatest_x_there_is(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        graph.append(INT64_MAX, {"a": 1.0})
        graph.append(0.5, {"a": 2.0})
    assert recorder.points("a") == [(INT64_MAX, 1.0), (INT64_MAX, 2.0)]


def test_points_of_all_kinds_keep_their_order(recorder: FakeServer) -> None:
    with losswise.Session(track_git=False) as session:
        graph = session.graph("loss")
        for step in range(2_000):
            value: Any = float(step)
            y = ({"a": value}, {"a": value, "b": 0.0}, {"a": np.float32(value)})[step % 3]
            graph.append(step / 4, y)
    assert recorder.points("a") == [(step, float(step)) for step in range(2_000)]
    assert recorder.points("x") == [(step, step / 4) for step in range(1, 2_000)]


def test_a_curve_over_fractions_is_stored_whole(server: Server) -> None:
    with losswise.Session(track_git=False, base_url=server.url, api_key=server.api_key) as session:
        for step in range(100):
            session.log({"val_loss": 1 / (step + 1)}, step * 0.1)
    found = server.session(session.id)
    [graph] = found["graphs"]
    assert graph["names"] == ["val_loss", "x"]
    points = server.points(graph["id"])
    assert points["val_loss"]["x"] == list(range(100))
    assert points["val_loss"]["y"] == [1 / (step + 1) for step in range(100)]
    assert points["x"]["y"] == [step * 0.1 for step in range(1, 100)]
