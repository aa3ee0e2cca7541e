"""The limits of the server, which the client knows: long names, many names, many graphs."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.protocol.limits import MAX_GRAPHS, MAX_NAME_LENGTH, MAX_NAMES
from losswise.protocol.records import graph_id
from losswise.recording.point_buffer import MAX_BYTES_PER_TAKE, PointBuffer
from tests.client.conftest import journal_records, points_of
from tests.client.fake_server import FakeServer
from tests.support.server import Server

Records = list[dict[str, Any]]


@pytest.fixture
def offline(journals: Path, monkeypatch: pytest.MonkeyPatch) -> losswise.Session:
    monkeypatch.setenv("LW_MODE", "offline")
    return losswise.Session("tag", track_git=False, console=False)


def titles_of(records: Records, id_: str) -> list[str]:
    return [record["title"] for record in records if record["type"] == "graph" and record["id"] == id_]


def by_title(records: Records) -> dict[str, set[str]]:
    """The names of points by the titles of their graphs."""
    titles = {record["id"]: record["title"] for record in records if record["type"] == "graph"}
    found: dict[str, set[str]] = {}
    for record in records:
        if record["type"] == "points":
            found.setdefault(titles[record["graph"]], set()).update(record["y"])
    return found


def test_long_names_are_cut_and_stay_apart(
    offline: losswise.Session, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    front = "layer." * 100
    graph = offline.graph("loss")
    for x in range(100):
        graph.append(x, {"a": float(x), front + "weight": 1.0, front + "bias": 2.0})
        offline.log({front + "weight": 3.0, "b": float(x)}, x)
    offline.graph(front + "1").append(0, {"one": 1.0})
    offline.graph(front + "2").append(0, {"two": 2.0})
    offline.text(front + "1", "one")
    offline.text(front + "2", "two")
    offline.done()
    records = journal_records(journals)
    assert points_of(records, "a") == points_of(records, "b") == [(x, float(x)) for x in range(100)]
    names = {name for record in records if record["type"] == "points" for name in record["y"]}
    cut = sorted(name for name in names if name.startswith("layer"))
    assert len(cut) == 2
    assert {len(name) for name in cut} == {MAX_NAME_LENGTH}
    assert sorted(len(points_of(records, name)) for name in cut) == [100, 200]
    graphs = {record["title"] for record in records if record["type"] == "graph"}
    assert all(len(title) <= MAX_NAME_LENGTH for title in graphs)
    assert len({title for title in graphs if title.startswith("layer")}) == 3
    assert len({record["name"] for record in records if record["type"] == "text"}) == 2
    assert capsys.readouterr().err.count("characters are cut") == 1


@pytest.mark.parametrize("how", ["append", "log", "one by one"])
def test_more_names_than_a_graph_has_go_on_to_further_graphs(
    offline: losswise.Session, journals: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    names = [f"grad_2.0_norm/layer{number}.weight" for number in range(2_300)]
    graph = offline.graph("grad_2.0_norm", "step", "norm", "min")
    for x in range(3):
        if how == "append":
            graph.append(x, {name: float(x) for name in names})
        elif how == "log":
            offline.log({name: float(x) for name in names}, x)
        else:
            for name in names:
                offline.log({name: float(x)}, x)
    offline.done()
    records = journal_records(journals)
    found = by_title(records)
    assert {title: len(own) for title, own in found.items()} == {
        "grad_2.0_norm": 1_000,
        "grad_2.0_norm (2)": 1_000,
        "grad_2.0_norm (3)": 300,
    }
    for name in (names[0], names[1_000], names[2_299]):
        assert points_of(records, name) == [(x, float(x)) for x in range(3)]
    graphs = [record for record in records if record["type"] == "graph"]
    assert {(record["xlabel"], record["ylabel"], record["kind"]) for record in graphs} == {("step", "norm", "min")}
    assert all(record["id"] == graph_id(offline.id, record["title"]) for record in graphs)
    assert sum(path.stat().st_size for path in journals.glob("*.journal")) < 2_000_000
    assert capsys.readouterr().err.count("more than 1,000 names") == 1


def test_points_without_any_of_a_further_graphs_names_are_not_on_it(offline: losswise.Session, journals: Path) -> None:
    graph = offline.graph("loss")
    for x in range(50):
        graph.append(x, {"train": float(x)})
        if x == 25:
            graph.append(x, {f"n{number}": 1.0 for number in range(1_200)})
    offline.done()
    records = journal_records(journals)
    assert points_of(records, "train") == [(x, float(x)) for x in range(50)]
    [further] = [record["id"] for record in records if record.get("title") == "loss (2)"]
    assert [record["x"] for record in records if record.get("graph") == further] == [[25]]


def test_a_further_graph_is_no_graph_of_the_users(offline: losswise.Session, journals: Path) -> None:
    offline.graph("loss (2)").append(0, {"mine": 1.0})
    offline.graph("loss").append(0, {f"n{number}": 1.0 for number in range(1_500)})
    offline.done()
    found = by_title(journal_records(journals))
    assert found["loss (2)"] == {"mine"}
    assert len(found.pop("loss")) == 1_000
    assert sum(map(len, found.values())) == 501


def test_further_graphs_are_described_again_when_the_session_goes_on(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = losswise.Session("tag", track_git=False, console=False)
    values = {f"n{number}": 1.0 for number in range(1_500)}
    session.graph("loss").append(0, values)
    session.done()
    recorder.applied.clear()  # a server that has lost it
    session.graph("loss").append(1, values)
    session.done()
    assert "loss (2)" in {record["title"] for record in recorder.records("graph")}
    assert recorder.points("n1400") == [(1, 1.0)]


def test_graphs_beyond_the_limit_are_not_made_and_their_points_are_counted(
    offline: losswise.Session, journals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for x in range(4):
        offline.log({f"metric{number}": float(x) for number in range(5_000)}, x)
    offline.graph("late").append(0, {"a": 1.0})
    offline.graph("metric0").append(9, {"metric0": 9.0})
    offline.done()
    records = journal_records(journals)
    assert len({record["id"] for record in records if record["type"] == "graph"}) == MAX_GRAPHS
    assert points_of(records, "metric1999") == [(x, float(x)) for x in range(4)]
    assert points_of(records, "metric0")[-1] == (9, 9.0)
    assert points_of(records, "metric2000") == points_of(records, "a") == []
    assert records[-1]["dropped"] == 4 * 3_000 + 1
    said = capsys.readouterr().err
    assert said.count("points of further ones are dropped") == 1
    assert "12,001 points were dropped since a session has at most 2,000 graphs" in said


def test_names_without_end_are_counted_and_forgotten(
    offline: losswise.Session, journals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("losswise.recording.further_graphs.MAX_PARTS", 3)
    graph = offline.graph("loss")
    for x in range(4):
        graph.append(x, {f"n{number}": 1.0 for number in range(1_000 * x, 1_000 * x + 1_000)})
        offline.graph("other").append(x, {"a": 1.0})
    offline.done()
    records = journal_records(journals)
    assert len(by_title(records)) == 4
    assert records[-1]["dropped"] == 1
    assert len(points_of(records, "a")) == 4


def test_a_long_name_and_many_names_beside_a_loss_arrive(server: Server, journals: Path) -> None:
    session = losswise.Session("limits", track_git=False, base_url=server.url, api_key=server.api_key)
    for x in range(200):
        session.log({"loss": float(x), "m" * 501: 1.0, "m" * 501 + "2": 2.0}, x)
        session.graph("norms").append(x, {f"n{number}": float(x) for number in range(1_200)})
    session.done()
    found = server.session(session.id)
    assert (found["status"], found["dropped"]) == ("complete", 0)
    graphs = {graph["title"]: graph for graph in found["graphs"]}
    assert server.points(graphs["loss"]["id"])["loss"]["x"] == list(range(200))
    assert len(graphs["norms"]["names"]) == MAX_NAMES
    assert len(graphs["norms (2)"]["names"]) == 200
    assert server.points(graphs["norms (2)"]["id"])["n1100"]["y"] == [float(x) for x in range(200)]
    assert len([title for title in graphs if title.startswith("mmm")]) == 2
    assert list(journals.iterdir()) == []


def test_rows_of_many_names_are_taken_in_small_parts() -> None:
    """A journal thread that copied all of them at once would take many times their memory."""
    names = tuple(f"n{number}" for number in range(5_000))
    buffer = PointBuffer(names)
    for number in range(200):  # 8 MB
        buffer.rows.extend(buffer.pack(number, number, 0.0, *itertools.repeat(1.0, 5_000)))
    taken: list[int] = []
    while (limit := buffer.take_limit()) is not None:
        points = buffer.take(limit)
        assert points is not None
        assert 0 < len(points.x) * len(names) * 8 <= MAX_BYTES_PER_TAKE
        taken += points.x
    last = buffer.take(1_000)
    assert last is not None
    assert [*taken, *last.x] == list(range(200))
