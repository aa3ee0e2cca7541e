"""Events with points: together they hold every point once, whenever they are read, and each is cheap."""

from __future__ import annotations

import itertools
import json
import random
import time
from dataclasses import replace
from typing import Any

import pytest
from losswise_server.live import events as live_events
from losswise_server.live.changes import Change
from losswise_server.live.events import Sent
from losswise_server.points import recent

from losswise.protocol import records
from tests.support.application import DirectWriting, counted_statements


class Run(DirectWriting):
    def points(self, graph: str, *x: int) -> None:
        self.send(records.points_record(graph, list(x), [time.time()] * len(x), {"a": [float(one) for one in x]}))


class Page:
    """Follows a session by the protocol of docs/live.md. `x` holds what it has, in the order in which it came."""

    def __init__(self, version: int, arrivals: int = 0) -> None:
        self.version, self.arrivals = version, arrivals
        self.x: dict[str, list[int]] = {}
        self.asks_again = False

    def hear(self, event: Any) -> None:
        if self.version >= event["to"]:
            return
        if self.version < event["from"] or event["graphs"] is None or None in event["graphs"].values():
            self.asks_again = True
            return
        for graph, body in event["graphs"].items():
            columns = body["series"].get("a", {"x": [], "n": []})
            new = [x for x, n in zip(columns["x"], columns["n"], strict=True) if n >= self.arrivals]
            self.x.setdefault(graph, []).extend(new)
        self.version, self.arrivals = event["to"], event["arrivals"]


def events(changes: list[Change], sent: Sent | None = None) -> list[Any]:
    """What the hub sends for changes that it takes one after the other."""
    found = []
    for change in changes:
        body, sent = live_events.points_event(change, sent)
        if body is not None:
            found.append(json.loads(body.partition(b"data: ")[2]))
    return found


def test_points_of_a_later_change_come_with_that_change(changes: list[Change]) -> None:
    run = Run()
    first, second = run.graph("first"), run.graph("second")
    page = Page(changes[-1].version)
    changes.clear()
    run.points(first, 100)
    run.points(second, 1)
    run.points(first, 50)
    told = events(changes)
    assert [(event["to"] - event["from"], event["arrivals"]) for event in told] == [(1, 1), (1, 2), (1, 3)]
    for event in told:
        page.hear(event)
    assert (page.x, page.asks_again) == ({first: [100, 50], second: [1]}, False)
    run.send(records.rewind_record(60, time.time() + 1))
    for event in events(changes[3:], Sent(page.version, page.arrivals)):
        page.hear(event)
    assert page.asks_again


@pytest.mark.parametrize("seed", range(20))
def test_every_point_is_sent_once_however_changes_are_joined_and_retried(changes: list[Change], seed: int) -> None:
    choose = random.Random(seed)
    run = Run()
    graphs = [run.graph(title) for title in ("one", "two", "three")]
    page, late = Page(changes[-1].version), Page(0)
    changes.clear()
    written: dict[str, list[int]] = {graph: [] for graph in graphs}
    had: dict[str, list[int]] = {}
    for number in range(12):
        graph = choose.choice(graphs)
        x = [choose.randrange(-50, 50) for _ in range(choose.randrange(1, 6))]
        run.points(graph, *x)
        written[graph] += x
        if number == 5:  # another page has asked for the series
            late = Page(changes[-1].version, changes[-1].next_sequence)
            had = {graph: list(x) for graph, x in written.items()}
    sent: Sent | None = None
    waiting: Change | None = None
    for change in changes:
        if waiting is None:
            waiting = replace(change)
        else:
            waiting.join(change)
        if choose.random() < 0.4:
            body, now = live_events.points_event(waiting, sent)
            assert body is not None
            for reader in (page, late):
                reader.hear(json.loads(body.partition(b"data: ")[2]))
            if choose.random() < 0.5:
                waiting = None
            sent = now  # else the change is retried: it was sent, but another one of its batch was not
    if waiting is not None:
        for event in events([waiting], sent):
            for reader in (page, late):
                reader.hear(event)
    assert not page.asks_again
    assert not late.asks_again
    for graph in graphs:
        assert sorted(page.x.get(graph, [])) == sorted(written[graph])
        assert sorted(had[graph] + late.x.get(graph, [])) == sorted(written[graph])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("joined", [1, 2, 3])
def test_changes_out_of_order_leave_no_gap(changes: list[Change], order: tuple[int, ...], joined: int) -> None:
    """Each change is of another graph: a page has all points, or it refetches."""
    run = Run()
    graphs = [run.graph(title) for title in ("one", "two", "three")]
    page = Page(changes[-1].version)
    changes.clear()
    for graph in graphs:
        run.points(graph, 1, 2)
    taken = replace(changes[order[0]])
    for place in order[1:joined]:
        taken.join(changes[place])
    for event in events([taken, *(changes[place] for place in order[joined:])]):
        page.hear(event)
    assert page.asks_again or page.x == {graph: [1, 2] for graph in graphs}
    if order == (0, 1, 2) or (joined == 3 and order[:2] in ((2, 1), (1, 0), (1, 2), (0, 1))):
        assert not page.asks_again  # adjacent changes join, whichever came first


def test_graphs_that_are_expensive_to_search_are_null(changes: list[Change], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MAX_SCANNED_POINTS", 100)
    run = Run()
    long, epochs = run.graph("long"), run.graph("epochs")
    run.points(long, *range(1_000))
    for _ in range(30):
        run.points(epochs, *range(20))
    changes.clear()
    run.points(long, 7)  # late, alone
    run.points(long, 7, 800)  # far apart
    run.points(long, 3, 90)
    run.points(epochs, 4, 5)
    run.points(epochs, *range(10))
    graphs = [event["graphs"] for event in events(changes)]
    read = [body and body["series"]["a"]["x"] for event in graphs for body in event.values()]
    assert read == [[7], None, [3, 90], [4, 5], None]


@pytest.mark.parametrize("count", [1, 40])
def test_an_event_of_points_costs_three_queries(changes: list[Change], count: int) -> None:
    run = Run()
    graphs = [run.graph(f"graph {number}") for number in range(count)]
    for number, graph in enumerate(graphs):
        run.points(graph, number, number + 10)
    for change in changes[count + 2 :]:
        changes[count + 1].join(change)
    with counted_statements() as statements:
        [event] = events([changes[count + 1]])
    assert [body["series"]["a"]["x"] for body in event["graphs"].values()] == [[n, n + 10] for n in range(count)]
    assert len(statements) == 3, statements


def test_points_that_are_expensive_in_all_make_further_graphs_null(
    changes: list[Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MAX_SCANNED_IN_ALL", 25)
    run = Run()
    graphs = [run.graph(f"graph {number}") for number in range(4)]
    changes.clear()
    for graph in graphs:
        run.points(graph, *range(10))
    for change in changes[1:]:
        changes[0].join(change)
    [event] = events([changes[0]])
    assert [body and len(body["series"]["a"]["x"]) for body in event["graphs"].values()] == [10, 10, None, None]


def test_names_that_come_and_go_are_read_with_their_own_values(changes: list[Change]) -> None:
    """The values of all graphs are unpacked together."""
    run = Run()
    first, second = run.graph("first"), run.graph("second")
    changes.clear()
    now = time.time()
    run.send(
        records.points_record(first, [1, 2], [now] * 2, {"a": [1.0, None], "b": [None, "NaN"]}),
        records.points_record(second, [3], [now], {"c": ["-Infinity"]}),
        records.points_record(first, [0], [now], {"b": [0.5]}),
    )
    [event] = events(changes)
    read = {
        graph: {name: (columns["x"], columns["y"], columns["n"]) for name, columns in body["series"].items()}
        for graph, body in event["graphs"].items()
    }
    assert read == {
        first: {"a": ([1], [1.0], [0]), "b": ([0, 2], [0.5, "NaN"], [3, 1])},
        second: {"c": ([3], ["-Infinity"], [2])},
    }


@pytest.mark.parametrize(
    "told",
    [
        {"ranges": [[5, 6, 1]]},
        {"ranges": [[5]]},
        {"ranges": 7},
        {"ranges": None},
        {"described": ["x", "y"]},
        {"fields": None},
    ],
)
def test_graphs_are_unknown_in_incomplete_notifications(told: dict[str, Any]) -> None:
    change = Change("a" * 20, 1, 1, 3, 4, 10, 12, {1: (5, 6)}, frozenset((1,)), frozenset(("params",)))
    payload = json.loads(change.payload())
    assert Change.read(change.payload()) == change
    assert Change.read(json.dumps({**payload, "more": 1})) == change
    read = Change.read(json.dumps({**payload, **told}))
    assert (read.graphs, read.before, read.version) == (None, 3, 4)
    read.join(replace(change, before=4, version=5))
    assert (read.before, read.version, read.graphs) == (3, 5, None)
    for name in ("ranges", "next_sequence"):  # another version's worker does not send it
        assert Change.read(json.dumps({key: value for key, value in payload.items() if key != name})).graphs is None


def test_a_notification_names_all_graphs_if_they_log_together() -> None:
    together = Change("a" * 20, 1, 1, 3, 4, 0, 0, dict.fromkeys(range(1, 501), (7, 7)))
    assert len(together.payload()) < 500
    assert Change.read(together.payload()) == together
    apart = replace(together, graphs={number: (number, 10 * number) for number in range(1, 501)})
    assert Change.read(apart.payload()) == replace(together, graphs=dict.fromkeys(range(1, 501), (1, 5000)))
    scattered = replace(together, graphs={3 * number: (7, 7) for number in range(1, 5_000)})
    assert Change.read(scattered.payload()).graphs is None
