"""A steady stream of bad records among good ones: one bad apple never delays the basket."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import losswise
from losswise.delivery import quarantine_file
from losswise.delivery.client import Client, Response
from losswise.delivery.pacing import Timing
from losswise.journal.format import record_line
from losswise.protocol.records import graph_id, graph_record, points_record, text_record
from tests.client.delivery.sending import finish, new_journal, sending
from tests.client.delivery.test_rejected_records import is_bad, kept_names, lines, names, naming, naming_none
from tests.client.fake_server import FakeServer, Reply
from tests.support.server import Server, eventually


def naming_the_first(batch: dict[str, Any]) -> Reply | None:
    """Rejects a batch as servers of early 5.0 do: their sentence has the first bad record's place."""
    bad = [index for index, record in enumerate(batch["records"]) if is_bad(record)]
    sentence = f"record {bad[0] + 1} of {len(batch['records'])}: no such" if bad else ""
    return (422, {"error": sentence, "code": "bad_batch"}, {}) if bad else None


def too_large(batch: dict[str, Any]) -> Reply | None:
    return (413, "<html>too large</html>", {}) if naming(batch) else None


@pytest.mark.full
@pytest.mark.parametrize(
    ("answer", "every", "most_requests"),
    [
        # of 200 records in 10 portions; a portion costs one request if nothing is bad
        (naming, 2, 2 * 10),
        (naming, 100, 10 + 2),
        (naming_the_first, 2, 100 + 10),
        (naming_the_first, 100, 10 + 2),
        (naming_none, 2, 220),
        (naming_none, 100, 10 + 2 * 15),
        (too_large, 2, 220),
        (too_large, 100, 10 + 2 * 15),
    ],
)
def test_a_bad_record_costs_few_requests_however_long_the_stream(
    recorder: FakeServer,
    journals: Path,
    answer: Callable[[Any], Reply | None],
    every: int,
    most_requests: int,
) -> None:
    """What is learned from one bad record serves for the next: the search does not begin anew each time."""
    recorder.answer = answer
    journal = new_journal(journals, recorder.url)
    sender = sending(journal, recorder.url, Timing())
    eventually(lambda: sender.has_sent(1))
    begun = len(recorder.batches)
    good: list[str] = []
    for first in range(0, 200, 20):
        journal.append(lines(first, 20, every))
        sender.nudge()
        good += [f"good {n}" for n in range(first, first + 20) if n % every]
        # the good ones are there before the next portion comes
        eventually(lambda: names(recorder) == good, timeout=20.0, every=0.01)  # noqa: B023 - called at once
    finish(journal, sender)
    assert names(recorder) == [f"good {n}" for n in range(200) if n % every]
    [kept] = journals.iterdir()
    assert kept_names(kept) == [f"bad {n}" for n in range(0, 200, every)]
    assert len(recorder.batches) - begun <= most_requests
    assert sum(recorder.refused().values()) == 200 // every


def bad_lines(session: str) -> dict[str, Callable[[int], bytes]]:
    """Records that a server rejects, by what is wrong with them; each is called with a number."""
    graph = graph_id(session, "loss")

    def point(**fields: Any) -> bytes:
        return record_line({**points_record(graph, [1], [1.0], {"a": [1.0]}), **fields})

    return {
        "a name too long": lambda n: point(y={"n" * 501: [1.0]}),
        "too many names": lambda n: point(y={f"n{n}": [1.0] for n in range(1_001)}),
        "a name too many": lambda n: point(y={f"name {n} {m}": [1.0] for m in range(1_000)}),
        "no such graph": lambda n: point(graph="0" * 20),
        "a foreign graph": lambda n: record_line(graph_record("0" * 20, f"g{n}")),
        "x of 65 bits": lambda n: point(x=[2**64]),
        "a fraction as x": lambda n: point(x=[0.5]),
        "a time before 1970": lambda n: point(t=[-1.0]),
        "unequal columns": lambda n: point(t=[1.0, 2.0]),
        "a text as value": lambda n: point(y={"a": ["x"]}),
        "a number too large": lambda n: point().replace(b"[1.0]}", b"[1" + b"0" * 400 + b"]}"),
        "a text too long": lambda n: record_line(text_record("t", "x" * (1024 * 1024 + 1))),
        "no such type": lambda n: record_line({"type": "what"}),
        "no object": lambda n: b"17\n",
        "no JSON": lambda n: b"{...\n",
        "a bare NaN": lambda n: point().replace(b"[1.0]}", b"[NaN]}"),
        "not UTF-8": lambda n: b'{"type":"text","name":"t","text":"\xff"}\n',
        "nested too deeply": lambda n: b'{"type":"values","values":{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}}\n",
        "too many values": lambda n: point(
            x=[1] * 5_000, t=[1.0] * 5_000, y={f"n{m}": [None] * 5_000 for m in range(900)}
        ),
        "two kinds in turn": lambda n: point(t=[-1.0]) if n % 2 else point(graph="0" * 20),
    }


CAUSES = tuple(bad_lines("0" * 20))
LARGE = ("a text too long", "too many values", "a name too many", "too many names")


@pytest.mark.parametrize(
    ("cause", "every"),
    [
        pytest.param(cause, every, marks=() if every == 100 else pytest.mark.full)
        for cause in CAUSES
        for every in (2, 100)
        if every == 100 or cause != "too many values"
    ],
)
def test_a_real_server_stores_the_good_ones_of_a_stream(
    server: Server, journals: Path, monkeypatch: pytest.MonkeyPatch, cause: str, every: int
) -> None:
    requests: list[int] = []
    post_batch = Client.post_batch

    def counted(self: Client, body: bytes) -> Response:
        requests.append(len(body))
        return post_batch(self, body)

    monkeypatch.setattr(Client, "post_batch", counted)
    journal = new_journal(journals, server.url)
    graph = graph_id(journal.header.session, "loss")
    first = record_line(points_record(graph, [-1], [1.0], {"good": [-1.0]}))
    journal.append([record_line(graph_record(graph, "loss")), first])
    sender = sending(journal, server.url, Timing(), server.api_key)
    eventually(lambda: sender.has_sent(3))
    bad = bad_lines(journal.header.session)[cause]
    portions, size = (2, every) if every == 100 else (4, 4 if cause in LARGE else 12)
    good = 1
    for portion in range(portions):
        numbers = range(portion * size, (portion + 1) * size)
        batch = [
            record_line(points_record(graph, [n], [1.0], {"good": [float(n)]})) if n % every else bad(n)
            for n in numbers
        ]
        journal.append(batch)
        good += sum(n % every > 0 for n in numbers)
        sender.nudge()
        eventually(lambda: server.session(journal.header.session)["points"] == good)  # noqa: B023 - called at once
    finish(journal, sender)
    count = portions * size // every
    stored = server.points(graph)["good"]["x"]
    assert stored == [-1, *(n for n in range(portions * size) if n % every)]
    [kept] = journals.iterdir()
    assert len(quarantine_file.read(kept).refusals) == count
    session = server.session(journal.header.session)
    # a record that cannot be read counts once, others by their points
    assert session["refused"] == sum(refusal.total for refusal in quarantine_file.read(kept).refusals)
    # a batch and what replaces it, twice where its records are wrong in two ways; what is too large is searched for
    per_bad = 4 if cause == "too many values" else 0
    assert len(requests) <= 8 + 3 * portions + per_bad * count


@pytest.mark.parametrize("every", [2, 100])
@pytest.mark.parametrize(("answer", "most_requests"), [(naming, 6), (naming_the_first, 40), (naming_none, 70)])
def test_done_does_not_wait_for_the_bad_ones(
    recorder: FakeServer, answer: Callable[[Any], Reply | None], most_requests: int, every: int
) -> None:
    """A script at fifty steps a second, with something beside the loss that the server does not take."""
    recorder.answer = answer
    session = losswise.Session(track_git=False, console=False)
    for x in range(100):
        session.graph("loss").append(x, {"loss": float(x)})
        if x % every == 0:
            session.text(f"bad {x}", "x")
        time.sleep(0.02)
    # while the script runs, what was recorded a second ago is there
    eventually(lambda: len(recorder.points("loss")) >= 50, timeout=5.0)
    before = len(recorder.batches)
    session.done()
    assert len(recorder.batches) - before <= most_requests
    assert recorder.points("loss") == [(x, float(x)) for x in range(100)]
    assert sum(recorder.refused().values()) == 100 // every
    assert recorder.records("status")
