"""A batch changes a session as its records do one by one, however many there are, and takes as many SQL statements."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from losswise_server.db.engine import reading
from losswise_server.db.models import Session
from losswise_server.points import store
from losswise_server.sessions import texts
from losswise_server.sessions.details import with_details
from losswise_server.sessions.listing import read_session_row
from sqlalchemy import select

from losswise.protocol import limits, records
from losswise.protocol.records import Record
from tests.support.application import DirectWriting, counted_statements

Records = list[Record]


def session(run: DirectWriting) -> dict[str, Any]:
    """What is shown of the session, but for its own name and the times at which it was written."""
    with reading() as connection:
        key = connection.execute(select(Session.key).where(Session.id == run.session)).scalar_one()
        row = read_session_row(connection, run.session)
        assert row is not None
        shown = with_details(connection, key, row)
        titles = {graph["id"]: graph["title"] for graph in shown["graphs"]}
        points = []
        for number, title in enumerate(titles.values(), 1):
            arrival, columns = store.read(store.graph_ref(connection, key, number))
            y = {name: column.tobytes() for name, column in columns.y.items()}
            points.append((title, arrival.tolist(), columns.x.tolist(), columns.t.tolist(), y))
    for graph in shown["graphs"]:
        del graph["id"]
    left_out = {"id", "created_at", "updated_at", "heard_at", "ended_at", "version", "change", "eta"}
    # the status depends on how records are cut into batches: sessions/test_next_status.py
    left_out |= {"status", "reason", "progress", "failure", "error"}
    return {**{name: value for name, value in shown.items() if name not in left_out}, "points of graphs": points}


# any records

NAMES = ("a", "b", "c")
TITLES = ("loss", "acc", "")
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(-1, 1), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)),
    max_leaves=4,
)
maps = st.dictionaries(st.sampled_from(NAMES), json_values, max_size=3)
words = st.text("xyz\n", max_size=3)
# around the 20 characters of a row and the 50 of a text in these tests
chunks = st.text("xyz\n", max_size=60)
made: dict[str, Callable[..., Record]] = {
    "session": lambda **fields: {"type": "session", **fields},
    "graph": lambda title, **labels: {"type": "graph", "title": title, **labels},
}


def optional(**strategies: Any) -> Any:
    return st.fixed_dictionaries({}, optional=strategies)


any_record = st.one_of(
    optional(
        tag=words, group=words, tags=st.lists(words, max_size=3), params=maps, max_iter=st.integers(1, 9),
        git=st.dictionaries(st.sampled_from(NAMES), words, max_size=2), env=maps,
        info=st.dictionaries(st.sampled_from(NAMES), words, max_size=2),
    ).map(lambda fields: {"type": "session", **fields}),
    st.builds(
        lambda title, labels: {"type": "graph", "title": title, **labels},
        st.sampled_from(TITLES), optional(xlabel=words, ylabel=words, kind=st.sampled_from(["min", "max", None])),
    ),
    st.builds(
        lambda title, xs, name, value: {
            "type": "points", "title": title, "x": xs, "t": [float(abs(x)) for x in xs], "y": {name: [value] * len(xs)}
        },
        st.sampled_from(TITLES), st.lists(st.integers(-50, 300), max_size=40), st.sampled_from(NAMES),
        st.one_of(st.floats(-5, 5), st.sampled_from(["NaN", "Infinity", None])),
    ),
    st.builds(records.values_record, maps),
    *(
        [st.builds(records.text_record, st.sampled_from(NAMES), chunks, st.sampled_from([None, 1, 2]), st.booleans())]
        * 4
    ),
    st.builds(
        lambda name, x, outputs: records.image_record(name, x, name, "0" * 64, 1, 1, outputs, {"m": 0.5}),
        st.sampled_from(NAMES), st.integers(0, 3), maps,
    ),
    st.builds(records.rewind_record, st.integers(-60, 300), st.sampled_from([50.0, 200.0, 1e9])),
    st.builds(
        records.status_record,
        st.sampled_from(limits.STATUSES), st.just(5.0), st.sampled_from([None, "error", "word"]),
        st.sampled_from([None, {"type": "E", "message": "m"}, {"type": "F"}]), st.sampled_from([0, 3, 2**63 - 1]),
    ),
)  # fmt: skip


def filled_in(batch: Records, run: DirectWriting) -> Records:
    """The records with the ids of their graphs, all of which are made first."""
    ids = {title: records.graph_id(run.session, title) for title in TITLES}
    found = [records.graph_record(id_, title) for title, id_ in ids.items() if title != "acc"]
    for record in batch:
        title: Any = record.get("title")
        if record["type"] == "graph":
            found.append({**record, "id": ids[title]})
        elif record["type"] == "points":
            if title == "acc" and not any(known.get("id") == ids["acc"] for known in found):
                found.append(records.graph_record(ids["acc"], "acc"))
            found.append({**record, "graph": ids[title]})
        else:
            found.append(record)
    return found


def check_any_batches(batches: list[Records]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "MAX_ROW_CHARS", 20)
        patch.setattr(texts, "MAX_TEXT_LENGTH", 50)
        patch.setattr(texts, "MAX_BOUND_VALUES", 2)
        together, one_by_one = DirectWriting(), DirectWriting()
        for batch in batches:
            together.send(*filled_in(batch, together))
            for record in filled_in(batch, one_by_one):
                one_by_one.send(record)
            assert session(together) == session(one_by_one)
        shown = {(text["name"], text["x"]): text["text"] for text in session(together)["texts"]}
        assert shown == expected_texts(batches)


def expected_texts(batches: list[Records]) -> dict[tuple[str, int | None], str]:
    expected: dict[tuple[str, int | None], str] = {}
    for record in (record for batch in batches for record in batch if record["type"] == "text"):
        key = record["name"], record["x"]
        before = expected.get(key, "") if record["append"] else ""
        expected[key] = (before + record["text"])[-50:]
    return expected


def any_batches(examples: int) -> Callable[[Any], Any]:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]

    def decorate(test: Any) -> Any:
        batches = st.lists(st.lists(any_record, max_size=12), min_size=1, max_size=3)
        return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks)(
            given(batches=batches)(test)
        )

    return decorate


@pytest.mark.full_on_postgresql
@any_batches(40)
def test_any_batches(app: None, batches: list[Records]) -> None:
    check_any_batches(batches)


@pytest.mark.full
@any_batches(1_000)
def test_many_batches(app: None, batches: list[Records]) -> None:
    check_any_batches(batches)


# the number of statements


def some_texts(run: DirectWriting, count: int) -> Records:
    return [records.text_record(f"text {number % 3}", f"{number}") for number in range(count)]


def appended(run: DirectWriting, count: int) -> Records:
    return [records.text_record("console", f"line {number}\n", append=True) for number in range(count)]


def sessions(run: DirectWriting, count: int) -> Records:
    return [
        records.session_record(params={f"p{number % 5}": number}, env={"E": str(number)}) for number in range(count)
    ]


def values(run: DirectWriting, count: int) -> Records:
    return [records.values_record({f"v{number % 5}": number}) for number in range(count)]


def images(run: DirectWriting, count: int) -> Records:
    return [records.image_record("faces", number, "one", "0" * 64) for number in range(count)]


def known_graphs(run: DirectWriting, count: int) -> Records:
    return [records.graph_record(records.graph_id(run.session, "loss"), "loss") for _ in range(count)]


def points(run: DirectWriting, count: int) -> Records:
    graph = records.graph_id(run.session, "loss")
    return [records.points_record(graph, [0], [1.0], {"a": [0.5]}) for number in range(count)]


def statuses(run: DirectWriting, count: int) -> Records:
    return [records.status_record("active", time.time(), error={"type": "E"}) for _ in range(count)]


@pytest.mark.parametrize(
    "kind",
    [some_texts, appended, sessions, values, images, known_graphs, points, statuses],
    ids=lambda kind: kind.__name__,
)
def test_more_records_take_no_more_statements(app: None, kind: Callable[[DirectWriting, int], Records]) -> None:
    counts = []
    for count in (10, 200):
        run = DirectWriting()
        run.graph("loss")
        run.send(*kind(run, 10))
        batch = kind(run, count)
        with counted_statements() as statements:
            run.send(*batch)
        counts.append(len(statements))
    assert counts[0] == counts[1] <= 15, counts


def test_new_graphs_take_one_statement(app: None) -> None:
    counts = []
    for count in (1, 500):
        run = DirectWriting()
        ids = [(records.graph_id(run.session, f"{number}"), f"{number}") for number in range(count)]
        with counted_statements() as statements:
            run.send(*(records.graph_record(id_, title) for id_, title in ids))
        counts.append(len(statements))
    assert counts[0] == counts[1]
