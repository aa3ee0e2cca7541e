"""What one request can make a server do is bounded: larger batches get 413, and clients split them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.exceptions import ApiError, BadBatch
from losswise_server.ingest import batch_cost, decoding, graph_state, pipeline, session_state
from losswise_server.points import incoming, rewind, store, summaries
from losswise_server.points.summaries import SummaryState
from sqlalchemy import select

from losswise.delivery.batches import count_fitting
from losswise.journal.format import record_line
from losswise.protocol import limits, records
from losswise.protocol.records import Record
from tests.conftest import DATABASES, database_url
from tests.server.points.test_summaries import check_levels
from tests.support.application import DirectWriting, application, counted_statements
from tests.support.batches import Writing
from tests.support.server import Server, clean_environment


@pytest.fixture(params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    with application(tmp_path, database_url(request.param, request)):
        yield


# limits of a batch


def wide(graph: str) -> list[Record]:
    columns: dict[str, Any] = {f"n{number}": [1.0] for number in range(limits.MAX_NAMES)}
    return [records.points_record(graph, [0], [1.0], columns)] * (limits.MAX_BATCH_COLUMNS // limits.MAX_NAMES + 1)


TOO_MUCH: dict[str, Callable[[str], list[Record]]] = {
    "records": lambda graph: [records.values_record({})] * (limits.MAX_BATCH_RECORDS + 1),
    "points records": lambda graph: [records.points_record(graph, [], [], {})] * (limits.MAX_BATCH_POINTS_RECORDS + 1),
    "names in all points records": wide,
    "texts": lambda graph: [records.text_record("t", "", x) for x in range(limits.MAX_BATCH_TEXTS + 1)],
    "images": lambda graph: [records.image_record("s", 1, "i", "0" * 64)] * (limits.MAX_BATCH_IMAGES + 1),
    "marks": lambda graph: [records.mark_record(n + 1, 1.0) for n in range(limits.MAX_BATCH_MARKS + 1)],
    "rewinds": lambda graph: [records.rewind_record(5, 1.0)] * (limits.MAX_BATCH_REWINDS + 1),
}


@pytest.mark.full_on_postgresql
@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_batch_that_is_too_much_is_refused_whole(server: Server, what: str) -> None:
    run = Writing(server)
    graph = run.graph()
    batch = TOO_MUCH[what](graph)
    answer = server.post_batch(run.session, batch, writer=run.writer, seq=run.seq + len(batch))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    limit = {
        "names in all points records": limits.MAX_BATCH_COLUMNS, "records": limits.MAX_BATCH_RECORDS,
        "points records": limits.MAX_BATCH_POINTS_RECORDS,
        "texts": limits.MAX_BATCH_TEXTS, "images": limits.MAX_BATCH_IMAGES,
        "marks": limits.MAX_BATCH_MARKS, "rewinds": limits.MAX_BATCH_REWINDS,
    }[what]  # fmt: skip
    assert answer.json()["error"].endswith(f"{what} in a batch; the limit is {limit}")
    row = run.row()
    assert (row["points"], row["values"], row["texts"], row["images"]) == (0, {}, [], [])
    run.send(*batch[: len(batch) // 2])
    run.send(*batch[len(batch) // 2 :])


@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_client_sends_no_more_than_a_batch_may_have(what: str) -> None:
    batch = [records.graph_record("0" * 20, "loss"), *TOO_MUCH[what]("0" * 20), records.values_record({"a": 1})]
    lines = [record_line(record).rstrip(b"\n") for record in batch]
    first = count_fitting(lines)
    decoding.convert_records([json.loads(line) for line in lines[:first]])
    assert len(lines) - 4 <= first < len(lines)
    assert first + count_fitting(lines[first:]) == len(lines)


def test_texts_of_one_name_count_once(server: Server) -> None:
    run = Writing(server)
    run.send(*(records.text_record("console", f"{x},", append=True) for x in range(limits.MAX_BATCH_TEXTS * 2)))
    [text] = run.row()["texts"]
    assert text["text"] == "".join(f"{x}," for x in range(limits.MAX_BATCH_TEXTS * 2))


def test_the_session_and_the_graphs_are_never_too_much(server: Server) -> None:
    """What a client sends to a server that does not know its session: all of its graphs, and each change of params."""
    session = records.new_id()
    batch = [records.session_record(tag="t", params={f"p{number % 100}": number}) for number in range(10_000)]
    titles = [f"graph {number}" for number in range(limits.MAX_GRAPHS)]
    batch += [records.graph_record(records.graph_id(session, title), title) for title in titles]
    assert server.post_batch(session, batch).status_code == 200
    row = server.session(session)
    assert (len(row["graphs"]), row["params"]["p99"]) == (limits.MAX_GRAPHS, 9_999)


OFFLINE = """
import losswise

with losswise.Session(tag="many texts", track_git=False) as session:
    graph = session.graph("loss")
    for x in range(12_000):
        session.text("note", f"at {x}", x=x)
        graph.append(x, {"a": float(x)})
print(session.id)
"""


@pytest.mark.full_on_postgresql
def test_a_client_splits_what_is_too_much(server: Server, tmp_path: Path) -> None:
    environ = clean_environment(tmp_path, LW_JOURNAL_DIR=str(tmp_path / "journals"), LW_MODE="offline")
    words = [sys.executable, "-c", OFFLINE]
    done = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    session = done.stdout.split()[-1]
    environ |= {"LW_MODE": "online", "LW_BASE_URL": server.url, "LW_API_KEY": server.api_key}
    words = server.command("sync")
    done = subprocess.run(words, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    row = server.session(session)
    assert [text["text"] for text in row["texts"] if text["name"] == "note"] == [f"at {x}" for x in range(12_000)]
    assert (row["points"], row["status"]) == (12_000, "complete")


# limits of a session


def test_the_names_of_all_graphs_are_limited(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MAX_SESSION_NAMES", 5)
    run = DirectWriting()
    first, second = run.graph("first"), run.graph("second")
    run.send(records.points_record(first, [0], [1.0], {"a": [1.0], "b": [1.0], "c": [1.0]}))
    run.send(records.points_record(second, [0], [1.0], {"a": [1.0]}))
    with pytest.raises(BadBatch, match="a graph has at most"):
        run.send(records.points_record(second, [0], [1.0], {"b": [1.0], "c": [1.0]}))
    run.seq -= 1
    run.send(
        records.points_record(second, [1], [1.0], {"b": [1.0]}), records.points_record(first, [1], [1.0], {"c": [2.0]})
    )


# summaries


def state_of(run: DirectWriting, title: str = "loss") -> tuple[Any, SummaryState]:
    """The session's row, and the summary state of its first graph, which is checked."""
    with reading() as connection:
        row = connection.execute(select(Session.__table__).where(Session.id == run.session)).one()
        state = SummaryState.load(row.summary_states.get("1"))
        check_levels(store.graph_ref(connection, row.key, 1), state)
    return row, state


def far_apart(graph: str, count: int, first: int = -(2**63), name: str = "a") -> Record:
    xs = [first + number * (2**64 // count) for number in range(count)]
    xs = [x for x in xs if x < 2**63]
    return records.points_record(graph, xs, [1.0] * len(xs), {name: [0.5] * len(xs)})


def test_points_far_apart_are_sealed_a_part_at_a_time(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "MAX_SEALED_PAGES", 300)
    monkeypatch.setattr(summaries, "CHUNK_POINTS", 70)
    run = DirectWriting()
    graph = run.graph()
    near = list(range(-(2**63), -(2**63) + 1_000))
    run.send(records.points_record(graph, near, [1.0] * 1_000, {"a": [1.0] * 1_000, "b": [2.0] * 1_000}))
    _, state = state_of(run)
    assert (state.finest_level, state.unsealed) == (1, 0)
    run.send(far_apart(graph, 400, first=-(2**63) + 5_000))
    left = [state_of(run)[1].unsealed]
    assert 256 < left[0] < 400
    while left[-1] >= summaries.MAX_UNSEALED_POINTS:  # a few in each batch
        run.send(records.points_record(graph, [2**63 - 1], [1.0], {"a": [1.0]}))
        left.append(state_of(run)[1].unsealed)
        assert left[-1] < left[-2]
    assert len(left) > 2


def test_points_of_one_step_are_sealed_together(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "MAX_SEALED_PAGES", 3)
    monkeypatch.setattr(summaries, "MAX_UNSEALED_POINTS", 10)
    monkeypatch.setattr(summaries, "CHUNK_POINTS", 7)
    run = DirectWriting()
    graph = run.graph()
    for step in range(12):
        xs = [2**40 * step] * 5 + [2**40 * step + 1] * 4
        run.send(records.points_record(graph, xs, [1.0] * 9, {"a": [float(step)] * 9}))
        state_of(run)


def test_late_points_that_change_too_many_pages_are_refused(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_state, "MAX_LATE_PAGES", 300)
    monkeypatch.setattr(session_state, "MAX_LATE_PAGES_OF_RECORD", 900)
    run = DirectWriting()
    run.graph()
    graph = records.graph_id(run.session, "loss")
    near = list(range(2**63 - 1_000, 2**63))
    run.send(records.points_record(graph, near, [1.0] * 1_000, {"a": [1.0] * 1_000}))
    assert state_of(run)[1].sealed_through == 2**63 - 1
    late = [far_apart(graph, 50) for _ in range(2)]
    with pytest.raises(ApiError, match=r"change \d+ pages of summaries; the limit is 300") as refusal:
        run.send(*late)
    assert (refusal.value.status, refusal.value.code) == (413, "too_large")
    run.seq -= 2
    for record in late:  # one by one, as a client does then
        run.send(record)
    with pytest.raises(ApiError, match="the limit is 900"):
        run.send(far_apart(graph, 200))
    run.seq -= 1
    run.send(*(records.points_record(graph, [x], [1.0], {"a": [1.0]}) for x in range(200)))  # near to each other
    row, _ = state_of(run)
    assert row.points == 1_000 + 100 + 200


def test_a_large_graph_is_not_refined(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "MAX_REFINED_VALUES", 10_000)
    finest = []
    for count in (300, 10_000):
        run = DirectWriting()
        graph = run.graph()
        for xs in ([10**6 * number for number in range(count)], list(range(5_000))):
            run.send(records.points_record(graph, xs, [1.0] * len(xs), {"a": [0.5] * len(xs)}))
        finest.append(state_of(run)[1].finest_level)
    assert finest[0] < finest[1]


def test_a_graph_of_many_records_is_stored_in_linear_time(app: None) -> None:
    """Each statement is counted: as many for 1,000 graphs of a point each as for one, but for what it stores."""
    counts = []
    for count in (2, 500):
        run = DirectWriting()
        ids = [records.graph_id(run.session, f"{number}") for number in range(count)]
        run.send(*(records.graph_record(id_, f"{number}") for number, id_ in enumerate(ids)))
        with counted_statements() as statements:
            run.send(*(records.points_record(id_, [1], [1.0], {"a": [1.0]}) for id_ in ids))
        counts.append(len(statements))
    assert counts[0] == counts[1]


# rewinds


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewinds in parts of about ten points."""
    monkeypatch.setattr(session_state, "FEW_POINTS", 0)
    monkeypatch.setattr(rewind, "MAX_POINTS_AT_ONCE", 10)
    monkeypatch.setattr(rewind, "MAX_POINTS_SEARCHED", 15)
    monkeypatch.setattr(pipeline, "REWIND_SLICE_S", 0.0)
    monkeypatch.setattr(pipeline, "MAX_REWIND_S", 600.0)


def filled() -> tuple[DirectWriting, list[str]]:
    run = DirectWriting()
    graphs = [run.graph("loss"), run.graph("acc")]
    for number, graph in enumerate(graphs):
        xs = [x % 97 for x in range(300)] + [50] * 30
        ts = [100.0 + (x % 3) for x in range(330)]
        run.send(records.points_record(graph, xs, ts, {"a": [float(x) for x in xs], f"b{number}": [1.0] * 330}))
    return run, graphs


def content(run: DirectWriting) -> Any:
    """What is left of the session's points and what was computed from them."""
    with reading() as connection:
        row = connection.execute(select(Session.__table__).where(Session.id == run.session)).one()
        found = []
        for number in (1, 2):
            ref = store.graph_ref(connection, row.key, number)
            _, points = store.read(ref)
            check_levels(ref, SummaryState.load(row.summary_states.get(str(number))))
            found.append((points.x.tolist(), points.t.tolist(), {n: c.tobytes() for n, c in points.y.items()}))
    return row.points, row.last_x, row.graph_stats, row.stats, found


@pytest.mark.parametrize(
    ("after", "until", "only"), [(40, 101.0, False), (-1, 1e9, False), (49, 1e9, True), (96, 1e9, False)]
)
def test_a_rewind_in_parts_does_the_same(
    app: None, request: pytest.FixtureRequest, after: int, until: float, only: bool
) -> None:
    found = []
    for in_parts in (False, True):
        if in_parts:
            request.getfixturevalue("parts")
        run, graphs = filled()
        version = state_of(run)[0].version
        run.send(records.rewind_record(after, until, graphs[1] if only else None), records.values_record({"v": 1}))
        found.append(content(run))
        assert state_of(run)[0].version == version + 1 or in_parts
    assert found[0] == found[1]
    late = records.points_record(graphs[1], [after + 1], [min(until, 100.0)], {"a": [1.0]})
    run.send(late, writer=records.new_id())
    assert content(run)[0] == found[0][0]


def test_a_rewind_that_takes_long_is_continued(app: None, parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is told to come back; each time more is deleted, and what it recorded after the rewind is stored."""
    monkeypatch.setattr(pipeline, "MAX_REWIND_S", -1.0)
    run, graphs = filled()
    batch = [records.rewind_record(10, 1e9), records.points_record(graphs[0], [11], [200.0], {"a": [7.0]})]
    with pytest.raises(ApiError) as busy:
        run.send(*batch)
    assert (busy.value.status, busy.value.code) == (429, "busy")
    monkeypatch.setattr(pipeline, "MAX_REWIND_S", 0.0)
    left = []
    for _ in range(500):
        run.seq -= 2
        try:
            run.send(*batch)
            break
        except ApiError:
            left.append(state_of(run)[0].points)
    assert len(left) > 3
    assert left == sorted(left, reverse=True)
    points, last_x, *_ = content(run)
    kept = 2 * len([x for x in range(300) if x % 97 <= 10])
    assert (points, last_x) == (kept + 1, 11)
    # sent again after a lost response: nothing is deleted any more
    run.seq -= 2
    run.send(*batch)
    assert content(run)[0] == kept + 1


def test_a_rewind_of_an_unknown_graph_deletes_nothing(app: None, parts: None) -> None:
    run, _ = filled()
    with pytest.raises(BadBatch):
        run.send(records.rewind_record(10, 1e9, "0" * 20))
    assert content(run)[0] == 660


def test_old_points_for_a_session_with_many_rewinds_are_split(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_state, "MAX_COMPARISONS", 50)
    run = DirectWriting()
    graph = run.graph()
    for number in range(9):
        run.send(records.rewind_record(100 + number, 100.0 + number))
    other = records.new_id()
    old = [records.points_record(graph, [x], [50.0], {"a": [1.0]}) for x in range(10)]
    with pytest.raises(ApiError) as refusal:
        run.send(*old, writer=other)
    assert refusal.value.status == 413
    run.seq -= 10
    run.send(*old[:5], writer=other)
    run.send(*old[5:], writer=other)
    new = [records.points_record(graph, [x], [200.0], {"a": [1.0]}) for x in range(200, 300)]
    run.send(*new, writer=other)
    assert state_of(run)[0].points == 110


def test_every_limit_is_checked() -> None:
    names = {name for name in vars(limits) if name.startswith("MAX_BATCH_")} - {
        "MAX_BATCH_BYTES",
        "MAX_BATCH_CONTAINERS",
    }
    assert names == {name for name in vars(batch_cost) if name.startswith("MAX_BATCH_")}
