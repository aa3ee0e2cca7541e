"""What a person calls: sessions, graphs, log, values, texts, params."""

from __future__ import annotations

import math
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import losswise
from losswise.protocol.records import graph_id
from tests.client.fake_server import FakeServer

torch: Any = pytest.importorskip("torch")


def test_the_published_clients_calls(recorder: FakeServer) -> None:
    session = losswise.Session("my tag", 10, data={"rate": 0.1}, track_git=False, info={"note": "**bold**"})
    graph = session.Graph("loss", kind="min", xlabel="step", display_interval=None)
    for x in range(12):  # more than max_iter
        graph.append(x, {"train": 1.0 / (x + 1), "test": 2.0})
    graph.append({"train": 0.5})
    session.done()

    made = recorder.records("session")[0]
    assert made["tag"] == "my tag"
    assert made["max_iter"] == 10
    assert made["params"] == {"rate": 0.1}
    assert made["info"] == {"note": "**bold**"}
    assert recorder.records("graph") == [
        {
            "type": "graph",
            "id": graph_id(session.id, "loss"),
            "title": "loss",
            "xlabel": "step",
            "ylabel": "",
            "kind": "min",
        }
    ]
    assert recorder.points("train") == [*((x, 1.0 / (x + 1)) for x in range(12)), (0, 0.5)]
    assert recorder.points("test") == [(x, 2.0) for x in range(12)]
    assert recorder.records("status")[0]["status"] == "complete"
    assert session.status == "complete"


def test_the_address_is_known_at_once_and_told_once(recorder: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    session = losswise.Session(track_git=False)
    assert session.url == f"{recorder.url}/s/{session.id}"
    assert session.session_id == session.id
    session.done()
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if session.url in line] == [f"losswise: watching at {session.url}"]
    assert session.url in session._repr_html_()


@pytest.mark.parametrize(
    "arguments",
    [
        {"tag": 5},
        {"max_iter": "ten"},
        {"max_iter": 0},
        {"max_iter": 1.5},
        {"params": [1]},
        {"data": "x"},
        {"info": "text"},
        {"info": {"a": 1}},
        {"tags": [1]},
        {"resume": "not an id"},
        {"base_url": "ftp://example.com"},
        {"graphs": {"a": ("b", "most")}},
        {"unknown": 1},
    ],
)
def test_wrong_arguments_of_a_session_raise(arguments: dict[str, Any], journals: Path) -> None:
    with pytest.raises((TypeError, ValueError)):
        losswise.Session(**arguments)
    assert not journals.exists()


def test_the_tag_is_the_branch_where_none_is_given(
    recorder: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LW_MODE", "disabled")
    assert losswise.Session().tag == "default"
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/feature/x\n")
    assert losswise.Session().tag == "feature/x"
    assert losswise.Session(track_git=False).tag == "default"
    monkeypatch.setenv("BUILDKITE_BRANCH", "from-ci")
    assert losswise.Session().tag == "from-ci"


VALUES = [
    (1, 1.0),
    (True, 1.0),
    (0.25, 0.25),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
    (math.nan, "NaN"),
    (Decimal("0.5"), 0.5),
    (10**400, "Infinity"),
    (np.float32(0.5), 0.5),
    (np.float64(0.5), 0.5),
    (np.int64(3), 3.0),
    (np.array(2.0), 2.0),
    (np.array([[2.0]]), 2.0),
    (torch.tensor(0.5), 0.5),
    (torch.tensor([0.5], requires_grad=True), 0.5),
    (torch.tensor(float("nan")), "NaN"),
]


@pytest.mark.parametrize(("value", "arrives"), VALUES, ids=lambda value: type(value).__name__)
def test_whatever_is_a_number_arrives(recorder: FakeServer, value: Any, arrives: Any) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    graph.append(0, {"a": 0.0})
    graph.append(1, {"a": value})
    graph.append(2, {"a": 0.0})
    session.done()
    assert recorder.points("a") == [(0, 0.0), (1, arrives), (2, 0.0)]


@pytest.mark.parametrize("value", ["0.5", None, [1.0], 1j, np.array([1.0, 2.0]), torch.zeros(2), object()])
def test_what_is_no_number_is_skipped_with_one_warning(
    recorder: FakeServer, capsys: pytest.CaptureFixture[str], value: Any
) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("quality")
    for x in range(3):
        graph.append(x, {"good": 1.0, "bad": value})
    session.done()
    assert recorder.points("good") == [(0, 1.0), (1, 1.0), (2, 1.0)]
    assert recorder.points("bad") == []
    warnings = [line for line in capsys.readouterr().err.splitlines() if "not a number" in line]
    assert len(warnings) == 1
    assert "'quality'" in warnings[0]
    assert "'bad'" in warnings[0]


def test_x_is_a_whole_number_of_64_bits(recorder: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    for x in (2**63 - 1, -(2**63), 5.0, np.int32(6), torch.tensor(7), True):
        graph.append(x, {"a": 1.0})
    for x in (2**63, "8", None, math.nan):
        graph.append(x, {"a": 2.0})  # type: ignore[arg-type]
    session.done()
    assert recorder.points("a") == [(x, 1.0) for x in (2**63 - 1, -(2**63), 5, 6, 7, 1)]
    assert len([line for line in capsys.readouterr().err.splitlines() if "x must be a finite number" in line]) == 1


def test_wrong_calls_of_a_graph_are_warned_about_and_never_raise(
    recorder: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph(title=5, kind="most", display_interval="x")  # type: ignore[arg-type]
    graph.append(1, 2.0)  # type: ignore[call-overload]
    graph.append("words")  # type: ignore[call-overload]
    graph.append(1, {})
    session.log(5)  # type: ignore[arg-type]
    session.set_values(5)  # type: ignore[arg-type]
    session.params.update(5)  # type: ignore[call-overload]
    graph.append(2, {3: 1.0})  # type: ignore[dict-item]
    session.done()
    assert recorder.records("graph")[0]["title"] == "5"
    assert recorder.points("3") == [(2, 1.0)]
    assert "kind" in capsys.readouterr().err


def test_points_of_a_graph_arrive_in_the_order_in_which_they_came(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    expected: list[tuple[int, float]] = []
    for step in range(3_000):  # four ways through the buffers, the same name and x in all of them
        value: Any = float(step)
        y = ({"a": value}, {"a": value, "b": 0}, {"b": 1, "a": value}, {"a": np.float32(value)})[step % 4]
        graph.append(7, y)
        expected.append((7, float(step)))
    session.done()
    assert recorder.points("a") == expected


def test_a_dictionary_changed_after_the_append_changes_nothing(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    plain, tensor = {"a": 0.0}, torch.zeros(())
    for x in range(100):
        plain["a"] = float(x)
        tensor += 1
        graph.append(x, plain)
        graph.append(x, {"b": tensor})
    session.done()
    assert recorder.points("a") == [(x, float(x)) for x in range(100)]
    assert recorder.points("b") == [(x, float(x + 1)) for x in range(100)]


def test_display_interval_sends_every_nth_of_each_set_of_names(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss", display_interval=10)
    for x in range(100):
        graph.append(x, {"train": 1.0})
        graph.append(x, {"val": 2.0})
    session.done()
    assert recorder.points("train") == [(x, 1.0) for x in range(0, 100, 10)]
    assert recorder.points("val") == [(x, 2.0) for x in range(0, 100, 10)]


def test_threads_append_to_one_graph(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")

    def work(name: str) -> None:
        for x in range(5_000):
            graph.append(x, {name: float(x)})

    names = [f"thread{number}" for number in range(4)]
    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.done()
    for name in names:
        assert recorder.points(name) == [(x, float(x)) for x in range(5_000)]


def test_the_same_title_is_the_same_graph(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    assert session.graph("loss") is session.graph("loss", kind="min")
    assert session.graph("loss") is not session.graph("accuracy")


def test_log_finds_or_makes_the_graphs(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, graphs={"speed": ("how fast", None)})
    session.log({"train_loss": 0.5, "val_accuracy": 0.9, "speed": 7}, x=3)
    session.log({"train_loss": 0.4})
    session.log({"train_loss": 0.3})
    session.graph("loss").append(9, {"val_loss": 0.6})
    session.done()
    titles = {record["title"]: record["kind"] for record in recorder.records("graph")}
    assert titles == {"loss": "min", "accuracy": "max", "how fast": None}
    assert recorder.points("train_loss") == [(3, 0.5), (4, 0.4), (5, 0.3)]
    assert recorder.points("speed") == [(3, 7.0)]
    by_graph = {record["graph"] for record in recorder.records("points") if "val_loss" in record["y"]}
    assert by_graph == {graph_id(session.id, "loss")}


def test_params_values_and_texts_after_the_start(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False, params={"layers": [64, 10], "path": Path("a/b"), 5: np.float32(1)})  # type: ignore[dict-item]
    session.params.update(rate=0.1, nested={"a": {"b": math.nan}})
    session.params["epochs"] = np.int64(3)
    mutable = {"list": [1]}
    session.set_values({"best": torch.tensor(0.5), "cell": mutable})
    mutable["list"].append(2)
    session.text("notes", "**bold** \ud800 🎉", x=4)
    session.max_iter = 50
    session.done()
    params: dict[str, Any] = {}
    for record in recorder.records("session"):
        params.update(record.get("params", {}))
    assert params == {
        "layers": [64, 10],
        "path": "a/b",
        "5": 1.0,
        "rate": 0.1,
        "nested": {"a": {"b": "NaN"}},
        "epochs": 3,
    }
    assert session.params["rate"] == 0.1
    assert recorder.records("values")[0]["values"] == {"best": 0.5, "cell": {"list": [1]}}
    [text] = [record for record in recorder.records("text") if record["name"] == "notes"]
    assert (text["name"], text["text"], text["x"]) == ("notes", "**bold** ? 🎉", 4)
    assert [record["max_iter"] for record in recorder.records("session") if "max_iter" in record] == [50]


def test_project_group_and_tags(recorder: FakeServer) -> None:
    session = losswise.Session(project="vision", group="fold", tags=["a", "b"], track_git=False)
    session.done()
    made = recorder.records("session")[0]
    assert (made["project"], made["group"], made["tags"]) == ("vision", "fold", ["a", "b"])


def test_resume_goes_on_with_the_same_session(recorder: FakeServer) -> None:
    first = losswise.Session("tag", 10, track_git=False)
    first.graph("loss").append(0, {"a": 1.0})
    first.done()
    second = losswise.Session(resume=first.id, track_git=False)
    second.graph("loss").append(1, {"a": 2.0})
    second.done()
    assert list(recorder.applied) == [first.id]
    assert recorder.points("a") == [(0, 1.0), (1, 2.0)]
    resumed = [record for record in recorder.records("session") if "tag" not in record and "env" not in record]
    assert "created_at" not in resumed[0]


def test_a_session_goes_on_after_done(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    graph.append(0, {"a": 1.0})
    session.done(status="failed", reason="error")
    graph.append(1, {"a": 2.0})
    assert session.status == "active"
    session.done()
    assert recorder.points("a") == [(0, 1.0), (1, 2.0)]
    assert [record["status"] for record in recorder.records("status")] == ["failed", "complete"]
    assert len({batch["writer"] for batch in recorder.batches}) == 2


def test_flush_waits_until_the_server_has_everything(recorder: FakeServer) -> None:
    session = losswise.Session(track_git=False)
    graph = session.graph("loss")
    for x in range(5_000):
        graph.append(x, {"a": 1.0})
    assert session.flush() is True
    assert len(recorder.points("a")) == 5_000
    session.done()


def test_disabled_does_nothing_at_all(
    recorder: FakeServer, journals: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LW_MODE", "disabled")
    before = threading.active_count()
    session = losswise.Session("tag", 5, {"a": 1})
    session.graph("loss").append(0, {"a": 1.0})
    session.log({"loss": 1.0})
    session.set_values({"a": 1})
    session.text("a", "b")
    session.params["b"] = 2
    session.max_iter = 7
    assert session.flush() is True
    session.done()
    assert session.status == "complete"
    assert threading.active_count() == before
    assert not journals.exists()
    assert recorder.batches == []
    assert capsys.readouterr().err == ""
    assert session.url == ""  # there will be no page
    assert repr(session) == "<losswise.Session 'tag' complete not recorded>"
    shown = session._repr_html_()
    assert "nothing is recorded; LW_MODE is disabled" in shown
    assert "losswise sync" not in shown
    assert "<a " not in shown


def test_values_that_are_no_dictionary_are_one_sentence(
    recorder: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with losswise.Session("values", track_git=False) as session:
        session.set_values(5)  # type: ignore[arg-type]
        session.set_values({"best": 1})
    assert "set_values takes a dictionary, not 5" in capsys.readouterr().err


def test_the_first_record_is_the_session_s(recorder: FakeServer) -> None:
    for _ in range(10):
        with losswise.Session(track_git=False) as session:
            session.graph("loss").append(0, {"a": 1.0})
    firsts = [batch["records"][0]["type"] for batch in recorder.batches if batch.get("seq") == len(batch["records"])]
    assert firsts == ["session"] * 10


@pytest.mark.parametrize("key", ["two\nlines", "a “quote”"])
def test_a_key_that_cannot_be_one_is_never_shown(
    recorder: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    monkeypatch.setenv("LW_API_KEY", key)
    with losswise.Session(track_git=False) as session:
        session.graph("loss").append(0, {"a": 1.0})
    said = capsys.readouterr().err
    assert "no key has" in said
    assert key not in said
    assert "lines" not in said
