"""Events of a session's row: whole if it is small, otherwise what has changed, whatever else it has."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from losswise_server.db.engine import reading
from losswise_server.live import events as live_events
from losswise_server.live.changes import Change
from losswise_server.points.statistics import FIELDS, by_name
from losswise_server.sessions.listing import read_session_row

from losswise.protocol import records
from tests.support.application import DirectWriting, counted_statements

LARGE = 40  # graphs
LABELS = ("title", "kind", "xlabel", "ylabel")


class Run(DirectWriting):
    def points(self, graph: str, x: int, **y: float) -> None:
        self.send(records.points_record(graph, [x], [time.time()], {name: [value] for name, value in y.items()}))


def heard(change: Change) -> tuple[str, Any, int]:
    """(name, data, bytes) of the event for a change."""
    event = live_events.session_event(change)
    name, data = event.decode().removeprefix("event: ").split("\ndata: ")
    return name, json.loads(data), len(event)


def stored(session: str) -> Any:
    with reading() as connection:
        return json.loads(json.dumps(read_session_row(connection, session)))


def changed(row: Any, event: Any) -> Any:
    """The row after a `change` event, as docs/live.md says."""
    row = {**row, **{name: value for name, value in event.items() if name not in ("from", "graphs")}}
    graphs = {graph["id"]: graph for graph in row["graphs"]}
    for id_, told in event["graphs"].items():
        stats = {
            name: {"nan": 0, "nan_x": None, **dict(zip(FIELDS, values, strict=False))}
            for name, values in told["stats"].items()
        }
        labels = {name: told[name] for name in LABELS if name in told}
        graphs[id_] = {**graphs.get(id_, {"id": id_}), **labels, "stats": stats, "names": list(stats)}
    row["graphs"] = list(graphs.values())
    stats_of = {str(number): graph["stats"] for number, graph in enumerate(row["graphs"])}
    row["stats"] = by_name(stats_of, {str(number): graph["title"] for number, graph in enumerate(row["graphs"])})
    return row


def test_an_event_costs_what_is_new_and_not_what_the_session_has(changes: list[Change]) -> None:
    sizes = []
    for count in (LARGE, 4 * LARGE):
        run = Run()
        graphs = [run.graph(f"graph {number}") for number in range(count)]
        for graph in graphs:
            run.points(graph, 0, a=1.0)
        with counted_statements() as statements:
            name, data, size = heard(changes[-1])
        assert (name, list(data["graphs"]), len(statements)) == ("change", [graphs[-1]], 2)
        sizes.append(size)
    assert max(sizes) - min(sizes) < 20
    assert max(sizes) < 1_500


def test_changes_lead_from_one_row_to_the_next(changes: list[Change]) -> None:
    choose = random.Random(1)
    run = Run()
    graphs = [run.graph(f"graph {number}") for number in range(LARGE)]
    for graph in graphs:
        run.points(graph, 0, a=1.0)
    row, first, names = stored(run.session), len(changes), []
    for x in range(1, 30):
        kind = choose.choice(("points", "graph", "labels", "params", "values", "status"))
        if kind == "points":
            for graph in choose.sample(graphs, 3):
                run.points(graph, x, **{choose.choice("abc"): choose.choice((1.5, -2.0, float(x)))})
        elif kind == "graph":
            graphs.append(run.graph(f"new {x}"))
        elif kind == "labels":
            number = choose.randrange(LARGE)
            run.send(records.graph_record(graphs[number], f"graph {number}", kind="max", ylabel="y"))
        elif kind == "params":
            run.send(records.session_record(params={"lr": x}, group=f"group {x}"))
        elif kind == "values":
            run.send(records.values_record({"best": x}))
        else:
            run.send(records.status_record("active", time.time()))
        if len(changes) > first and choose.random() < 0.6:
            joined = changes[first].copy()
            for change in changes[first + 1 :]:
                joined.join(change)
            name, data, _ = heard(joined)
            names.append(name)
            assert (data["from"], data["version"]) == (row["version"], joined.version)
            row, first = changed(row, data), len(changes)
            assert row == stored(run.session)
    assert set(names) == {"change"}
    assert len(names) > 5


def test_what_is_not_known_exactly_is_sent_whole(changes: list[Change]) -> None:
    run = Run()
    graphs = [run.graph(f"graph {number}") for number in range(LARGE)]
    for graph in graphs:
        run.points(graph, 5, a=1.0)
    changes.clear()
    run.send(records.rewind_record(4, time.time() + 1))
    run.points(graphs[0], 6, a=1.0)
    rewound, points = changes
    unknown, both = points.copy(), rewound.copy()
    unknown.graphs = None
    both.join(points)
    for change in (rewound, unknown, both):
        name, data, _ = heard(change)
        assert (name, len(data["graphs"]), data["new"]) == ("session", LARGE, False)
    assert heard(points)[0] == "change"
    small = Run()
    small.points(small.graph(), 0, a=1.0)
    name, data, size = heard(changes[-1])
    assert (name, data["stats"]["a"]["count"]) == ("session", 1)
    assert size < 3_000


def test_large_params_come_only_when_they_change(changes: list[Change]) -> None:
    run = Run()
    run.send(records.session_record(params={"text": "x" * 5_000}))
    assert heard(changes[-1])[1]["params"] == {"text": "x" * 5_000}
    run.points(run.graph(), 0, a=1.0)
    name, data, size = heard(changes[-1])
    assert (name, "params" in data) == ("change", False)
    assert size < 1_500
