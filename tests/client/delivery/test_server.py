"""The client against the real server, on both databases."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import losswise
from losswise.protocol.records import graph_id
from tests.support.server import Server


def test_what_is_recorded_is_what_the_read_api_gives(server: Server, journals: Path) -> None:
    where: dict[str, Any] = {"base_url": server.url, "api_key": server.api_key}
    params = {"rate": 0.1, "layers": [64, 10], "name": "🎉 a.b/c"}
    with losswise.Session(
        "tag " + "é" * 50, 200, params, info={"note": "**bold**"}, group="g", tags=["x"], **where
    ) as session:
        graph = session.graph("loss", "step", "nats", "min")
        for x in range(250):
            graph.append(x, {"train": 1.0 / (x + 1), "test": float("nan") if x == 99 else 2.0})
        session.log({"val_accuracy": 0.5}, x=0)
        session.set_values({"best": 0.25})
        session.text("summary", "a *net*")
        session.params["late"] = True
    found = server.session(session.id)
    assert (found["status"], found["progress"], found["max_iter"]) == ("complete", 1.0, 200)
    assert found["params"] == {**params, "late": True}
    assert found["values"] == {"best": 0.25}
    assert found["info"] == {"note": "**bold**"}
    assert (found["group"], found["tags"]) == ("g", ["x"])
    texts = {text["name"]: text["text"] for text in found["texts"]}
    assert texts["summary"] == "a *net*"
    assert texts["console"].startswith("losswise: watching at http")
    assert found["env"]["host"]
    assert {shown["title"]: shown["kind"] for shown in found["graphs"]} == {"loss": "min", "accuracy": "max"}
    points = server.points(graph.id)
    assert points["train"]["x"] == list(range(250))
    assert points["train"]["y"] == [1.0 / (x + 1) for x in range(250)]
    assert points["test"]["y"][99] == "NaN"
    assert list(journals.iterdir()) == []


def test_a_failure_is_shown_with_its_error(server: Server, journals: Path) -> None:
    session = losswise.Session(track_git=False, base_url=server.url, api_key=server.api_key)
    try:
        with session:
            raise ValueError("too bad")
    except ValueError:
        pass
    found = server.session(session.id)
    assert (found["status"], found["reason"]) == ("failed", "error")
    assert (found["error"]["type"], found["error"]["message"]) == ("ValueError", "too bad")


def test_a_server_that_was_gone_for_a_while_has_everything_once(own_server: Server, journals: Path) -> None:
    session = losswise.Session(track_git=False, base_url=own_server.url, api_key=own_server.api_key)
    graph = session.graph("loss")
    for x in range(600):
        if x == 200:
            port = own_server.port
            own_server.stop()
        if x == 400:
            own_server.start(port)
        graph.append(x, {"a": float(x)})
        time.sleep(0.002)
    session.done()
    assert own_server.points(graph.id)["a"]["x"] == list(range(600))
    assert own_server.session(session.id)["status"] == "complete"
    assert list(journals.iterdir()) == []


def test_a_deleted_session_is_not_brought_back(server: Server, journals: Path) -> None:
    session = losswise.Session(track_git=False, base_url=server.url, api_key=server.api_key)
    session.graph("loss").append(0, {"a": 1.0})
    assert session.flush()
    assert server.request("DELETE", f"/api/v2/sessions/{session.id}").status_code == 200
    for x in range(1, 50):
        session.graph("loss").append(x, {"a": 1.0})
        time.sleep(0.005)
    session.done()
    assert server.request("GET", f"/api/v2/sessions/{session.id}").status_code == 404
    assert list(journals.iterdir()) == []


def test_a_resumed_session_goes_on_with_its_graphs(server: Server, journals: Path) -> None:
    where: dict[str, Any] = {"base_url": server.url, "api_key": server.api_key}
    first = losswise.Session("kept", 10, track_git=False, **where)
    first.log({"loss": 1.0}, x=0)
    first.done("failed", "error")
    with losswise.Session(resume=first.id, track_git=False, **where) as second:
        second.log({"loss": 0.5}, x=1)
    found = server.session(first.id)
    assert (found["tag"], found["max_iter"], found["status"]) == ("kept", 10, "complete")
    assert server.points(graph_id(first.id, "loss"))["loss"]["x"] == [0, 1]
