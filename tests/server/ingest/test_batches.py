"""POST /api/v2/batches: records are stored once, however often they are sent."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest
import requests

from losswise.protocol import limits, records
from tests.support.batches import Writing
from tests.support.server import Server


def test_points_are_stored_with_statistics(server: Server) -> None:
    run = Writing(server, tag="first", max_iter=10, params={"lr": 0.1, "net": {"layers": [1, 2]}})
    graph = run.graph("loss", "min")
    run.points(graph, [0, 1, 2], train_loss=[3.0, 1.0, 2.0], val_loss=[None, None, 5.0])
    row = run.row()
    assert row["tag"] == "first"
    assert row["status"] == "active"
    assert row["params"] == {"lr": 0.1, "net": {"layers": [1, 2]}}
    assert row["progress"] == pytest.approx(0.3)
    assert row["stats"] == {
        "train_loss": {"min": 1.0, "max": 3.0, "last": 2.0, "count": 3},
        "val_loss": {"min": 5.0, "max": 5.0, "last": 5.0, "count": 1},
    }
    [shown] = row["graphs"]
    assert (shown["id"], shown["title"], shown["kind"]) == (graph, "loss", "min")
    assert shown["names"] == ["train_loss", "val_loss"]
    assert shown["stats"]["train_loss"]["min_x"] == 1
    points = server.points(graph)
    assert points["train_loss"]["x"] == [0, 1, 2]
    assert points["train_loss"]["y"] == [3.0, 1.0, 2.0]
    assert points["val_loss"]["x"] == [2]


def test_records_that_are_sent_again_in_other_batches_are_applied_once(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    each = [records.points_record(graph, [x], [0.0], {"a": [float(x)]}) for x in range(6)]
    run.send(*each[:4])
    # the response was lost: the same records and more, in other batches
    answer = server.post_batch(run.session, each, writer=run.writer, seq=run.seq + 2)
    assert answer.json() == {"last": run.seq + 2}
    answer = server.post_batch(run.session, each[1:3], writer=run.writer, seq=run.seq - 1)
    assert answer.json() == {"last": run.seq + 2}
    assert server.points(graph)["a"]["x"] == [0, 1, 2, 3, 4, 5]
    assert run.row()["stats"]["a"]["count"] == 6


def test_sequence_numbers_may_have_gaps(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.seq += 5
    run.points(graph, [0], a=[1.0])
    assert server.points(graph)["a"]["y"] == [1.0]


def test_nan_and_infinities_are_stored(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [0, 1, 2, 3], a=[1.0, "NaN", "Infinity", "-Infinity"])
    assert server.points(graph)["a"]["y"] == [1.0, "NaN", "Infinity", "-Infinity"]
    assert run.row()["stats"]["a"] == {"min": 1.0, "max": 1.0, "last": "-Infinity", "count": 4}
    assert run.row()["graphs"][0]["stats"]["a"]["nan_x"] == 1


def test_last_is_the_last_value_to_arrive_at_the_greatest_x(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [5, 3, 5], a=[1.0, 2.0, 3.0])
    run.points(graph, [4], a=[9.0])
    assert run.row()["stats"]["a"]["last"] == 3.0
    assert server.points(graph)["a"] == {
        "x": [3, 4, 5, 5],
        "y": [2.0, 9.0, 1.0, 3.0],
        "t": server.points(graph)["a"]["t"],
    }


def test_a_name_in_two_graphs_is_shown_with_its_title(server: Server) -> None:
    run = Writing(server)
    run.points(run.graph("first"), [0], a=[1.0], b=[1.0])
    run.points(run.graph("second"), [0], a=[2.0])
    assert set(run.row()["stats"]) == {"first/a", "second/a", "b"}


def test_session_records_merge(server: Server) -> None:
    run = Writing(server, tag="merged", params={"a": 1, "b": 2}, group="g", tags=["x", "y"])
    run.send(records.session_record(params={"b": 3, "c": 4}))
    run.send(records.values_record({"best": 0.5, "note": "fine"}))
    row = run.row()
    assert row["params"] == {"a": 1, "b": 3, "c": 4}
    assert (row["tag"], row["group"], row["tags"]) == ("merged", "g", ["x", "y"])
    assert row["values"] == {"best": 0.5, "note": "fine"}


def test_a_graph_keeps_the_first_kind_and_labels(server: Server) -> None:
    run = Writing(server)
    graph = run.graph("acc", None)
    run.send(records.graph_record(graph, "acc", xlabel="step", kind="max"))
    run.send(records.graph_record(graph, "acc", xlabel="other", kind="min"))
    [shown] = run.row()["graphs"]
    assert (shown["kind"], shown["xlabel"]) == ("max", "step")


def test_a_session_has_metadata_texts_and_images(server: Server) -> None:
    run = Writing(server, git={"branch": "main", "diff": "+1"}, env={"HOST": "h"}, info={"note": "*hi*"})
    run.send(
        records.text_record("summary", "one"),
        records.text_record("summary", "two"),
        records.text_record("console", "a", append=True),
        records.text_record("console", "b", append=True),
        records.image_record("val", 3, "cat", "0" * 64, 4, 4, {"p": 0.5}, {"iou": 0.25}),
    )
    run.end("failed", reason="error", error={"type": "ValueError", "message": "no", "traceback": "..."})
    row = run.row()
    assert row["git"] == {"branch": "main", "diff": "+1"}
    assert (row["env"], row["info"]) == ({"HOST": "h"}, {"note": "*hi*"})
    assert {text["name"]: text["text"] for text in row["texts"]} == {"summary": "two", "console": "ab"}
    assert row["images"][0]["image_id"] == "cat"
    assert row["error"]["type"] == "ValueError"
    assert (row["status"], row["reason"]) == ("failed", "error")


def test_a_blob_is_stored_under_its_hash(server: Server) -> None:
    import hashlib

    run = Writing(server)
    data = b"\x89PNG\r\n\x1a\n" + b"pixels"
    sha256 = hashlib.sha256(data).hexdigest()
    path = f"/api/v2/sessions/{run.session}/blobs/{sha256}"
    for _ in range(2):
        assert server.request("PUT", path, data=data).status_code == 200
    answer = server.request("GET", path)
    assert (answer.content, answer.headers["Content-Type"]) == (data, "image/png")
    wrong = server.request("PUT", path.replace(sha256, "0" * 64), data=data)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "bad_blob")
    large = server.request("PUT", path, data=b"0" * (limits.MAX_BLOB_BYTES + 1))
    assert (large.status_code, large.json()["code"]) == (413, "too_large")


def test_gzip_bodies(server: Server) -> None:
    session = records.new_id()
    body = {"format": 1, "session": session, "records": [records.session_record(tag="zipped")]}
    packed = gzip.compress(json.dumps(body).encode())
    headers = {"Content-Encoding": "gzip"}
    assert server.request("POST", "/api/v2/batches", data=packed, headers=headers).status_code == 200
    assert server.session(session)["tag"] == "zipped"
    for data in (packed[:-9], b"not gzip"):
        answer = server.request("POST", "/api/v2/batches", data=data, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
    for lie in (0, len(packed), 2**31):  # a wrong size in the last four bytes
        answer = server.request("POST", "/api/v2/batches", data=packed + lie.to_bytes(4, "little"), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
    bomb = gzip.compress(b"[" + b" " * (limits.MAX_BATCH_BYTES + 10) + b"]")
    answer = server.request("POST", "/api/v2/batches", data=bomb, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_the_number_of_values_in_a_batch_is_limited(server: Server) -> None:
    """A client splits a batch on a 413. The fifth record makes it one too many."""
    run = Writing(server)
    graph = run.graph()
    places = limits.MAX_BATCH_VALUES // 4 // limits.MAX_NAMES
    columns = {f"n{number}": [1] + [None] * (places - 1) for number in range(limits.MAX_NAMES)}
    wide = records.points_record(graph, list(range(places)), [1.0] * places, columns)
    batch = [wide, wide, wide, wide, records.points_record(graph, [1], [1.0], {"n0": [1.0]})]

    def send(batch: list[dict[str, Any]]) -> requests.Response:
        body = {"session": run.session, "writer": run.writer, "seq": run.seq + len(batch), "records": batch}
        packed = gzip.compress(json.dumps(body, separators=(",", ":")).encode(), 1)
        headers = {"Content-Encoding": "gzip"}
        return server.request("POST", "/api/v2/batches", data=packed, headers=headers)

    answer = send(batch)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["error"].startswith("4000001 values")
    assert send(batch[3:]).status_code == 200
    assert run.row()["points"] == 2  # points without any value are not stored


def test_session_and_graph_records_may_come_without_numbers(server: Server) -> None:
    """What a client sends after 404 unknown_session."""
    session = records.new_id()
    graph = records.graph_record(records.graph_id(session, "loss"), "loss")
    for _ in range(2):
        assert server.post_batch(session, [records.session_record(tag="again"), graph]).status_code == 200
    answer = server.post_batch(session, [records.values_record({"a": 1})])
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_batch")
    assert len(server.session(session)["graphs"]) == 1


def test_a_rewind_deletes_points_that_arrive_later(server: Server) -> None:
    run = Writing(server, max_iter=100)
    graph = run.graph()
    run.points(graph, list(range(40)), t=[1000.0 + x for x in range(40)], a=[float(x) for x in range(40)])
    run.send(records.rewind_record(19, 1100.0))
    Writing(server, run.session).points(
        graph, [25, 30], t=[1025.0, 1030.0], a=[-5.0, -5.0]
    )  # from the journal of an earlier run
    run.points(graph, [20, 21], t=[1200.0, 1201.0], a=[100.0, 101.0])  # the resumed run
    series = server.points(graph)["a"]
    assert series["x"] == [*range(20), 20, 21]
    assert series["y"][-2:] == [100.0, 101.0]
    row = run.row()
    assert row["stats"]["a"] == {"min": 0.0, "max": 101.0, "last": 101.0, "count": 22}
    assert (row["last_x"], row["points"]) == (21, 22)


def test_a_rewind_keeps_what_its_own_writer_records_after_it(server: Server) -> None:
    """The clock of its machine is set back after the rewind; then another writer rewinds, too."""
    killed = Writing(server)
    graph = killed.graph()
    killed.points(graph, [0, 1, 2, 3], t=[1000.0, 1001.0, 1002.0, 1003.0], a=[0.0, 1.0, 2.0, 3.0])
    resumed = Writing(server, killed.session)
    rewind = records.rewind_record(1, 1100.0)
    points = records.points_record(graph, [2, 3, 4], [900.0, 901.0, 902.0], {"a": [20.0, 30.0, 40.0]})
    resumed.send(rewind, points)
    answer = server.post_batch(resumed.session, [rewind, points], writer=resumed.writer, seq=resumed.seq)
    assert answer.status_code == 200  # sent again: neither deleted nor stored twice
    killed.points(graph, [3, 4], t=[1003.5, 1004.0], a=[-3.0, -4.0])  # what it had not sent before it was killed
    series = server.points(graph)["a"]
    assert (series["x"], series["y"]) == ([0, 1, 2, 3, 4], [0.0, 1.0, 20.0, 30.0, 40.0])
    again = Writing(server, killed.session)
    again.send(records.rewind_record(2, 1150.0))
    again.points(graph, [3], t=[1140.0], a=[300.0])
    resumed.points(graph, [4, 5], t=[903.0, 1151.0], a=[-40.0, 50.0])  # before that rewind, and after it
    series = server.points(graph)["a"]
    assert (series["x"], series["y"]) == ([0, 1, 2, 3, 5], [0.0, 1.0, 20.0, 300.0, 50.0])
    assert resumed.row()["stats"]["a"] == {"min": 0.0, "max": 300.0, "last": 50.0, "count": 5}


def test_deleted_sessions_stay_deleted(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [1], a=[1.0])
    assert server.request("DELETE", f"/api/v2/sessions/{run.session}").status_code == 200
    assert server.request("GET", f"/api/v2/sessions/{run.session}").status_code == 404
    assert server.request("GET", f"/api/v2/graphs/{graph}/points").status_code == 404
    answer = server.post_batch(run.session, [records.session_record()], writer=run.writer, seq=9)
    assert (answer.status_code, answer.json()["code"]) == (410, "deleted_session")


def test_eight_concurrent_writers_lose_nothing(server: Server) -> None:
    from concurrent.futures import ThreadPoolExecutor

    session = records.new_id()

    def write(number: int) -> None:
        run = Writing(server, session)
        graph = run.graph("loss")
        for x in range(10):
            run.points(graph, [x], **{f"w{number}": [float(x)]})
        run.end()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    row = server.session(session)
    assert {name: stat["count"] for name, stat in row["stats"].items()} == {f"w{n}": 10 for n in range(8)}
    assert row["status"] == "complete"
    points = server.points(row["graphs"][0]["id"])
    assert all(columns["x"] == list(range(10)) for columns in points.values())


@pytest.mark.parametrize("tag", ["x" * 10_000, "🙂 ünï", "a.b/c\\d\"e'f", "nul\0inside", "\ud800 alone", "a\tb\nc"])
def test_any_text_is_stored(server: Server, tag: str) -> None:
    session = records.new_id()
    graph = records.graph_id(session, tag)
    batch = [
        records.session_record(tag=tag, params={tag[:50]: tag}),
        records.graph_record(graph, tag),
        records.points_record(graph, [1], [time.time()], {tag[:50]: [1.0]}),
    ]
    answer = server.post_batch(session, batch, writer=records.new_id(), seq=3)
    assert answer.status_code == 200, answer.text
    expected = tag.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    row = server.session(session)
    assert row["tag"] == expected
    assert list(row["stats"]) == [expected[:50]]
    assert server.points(row["graphs"][0]["id"])[expected[:50]]["y"] == [1.0]
    found = server.get("/api/v2/sessions", sort=f"min({expected[:50]})", limit=3)["sessions"]
    assert found[0]["stats"].get(expected[:50], {}).get("min") is not None


def test_points_without_names_are_ignored(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    run.points(graph, [0, 1])
    run.points(graph, [2], a=[1.0])
    assert server.points(graph)["a"]["x"] == [2]
    assert run.row()["points"] == 1


def test_a_name_with_a_slash_hides_no_statistic(server: Server) -> None:
    run = Writing(server)
    run.points(run.graph("a"), [0], n=[1.0])
    run.points(run.graph("b"), [0], n=[2.0])
    run.points(run.graph("c"), [0], **{"a/n": [3.0], "plain": [4.0]})
    stats = run.row()["stats"]
    assert {name: stat["min"] for name, stat in stats.items()} == {"a/n": 1.0, "b/n": 2.0, "c/a/n": 3.0, "plain": 4.0}
