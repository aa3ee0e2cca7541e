"""How long a server works on one request: the largest batch of each kind that it takes, and a v1 list of 20 MB.

Each is sent once, to a real server, and nothing else is sent meanwhile. The limits are those of
losswise/protocol/limits.py; the table in docs/developing/protocol-v2.md says what they mean.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.support.measuring import running_postgres, running_server, say
from benchmarks.support.report import Row
from losswise.protocol import limits, records
from losswise.protocol.records import Record

if TYPE_CHECKING:
    from tests.support.server import Server

LONGEST_S = 8.0
"""What no request should take on a usual machine: the client gives up after 30 s."""
MANY_POINTS = 1_000_000
INT64_SPAN = 2**64


class Sending:
    """A writer of a new session, with a graph."""

    def __init__(self, server: Server, share: float) -> None:
        import requests

        self.share = share
        self._server = server
        self._http = requests.Session()
        self._http.headers["Authorization"] = server.api_key
        self.session, self.writer, self.seq = records.new_id(), records.new_id(), 0
        self.graph = records.graph_id(self.session, "loss")
        self.send([records.session_record(tag="bounds"), records.graph_record(self.graph, "loss")])

    def some(self, limit: int) -> int:
        """As many as the limit, or fewer with --quick."""
        return max(2, int(limit * self.share))

    def send(self, batch: list[Record]) -> float:
        """Send a batch until it is taken; returns the seconds that the longest request took."""
        self.seq += len(batch)
        fields = {"session": self.session, "writer": self.writer, "seq": self.seq, "records": batch}
        body = gzip.compress(json.dumps(fields).encode(), 1)
        longest = 0.0
        while True:
            began = time.perf_counter()
            answer = self._http.post(
                self._server.url + "/api/v2/batches", data=body, headers={"Content-Encoding": "gzip"}, timeout=300
            )
            longest = max(longest, time.perf_counter() - began)
            if answer.status_code == 200:
                return longest
            if answer.status_code != 429:
                raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")

    def send_v1(self, path: str, body: Any) -> float:
        data = json.dumps(body)
        began = time.perf_counter()
        answer = self._http.post(f"{self._server.url}/api/v1{path}", data=data, timeout=300)
        if not answer.json()["success"] or answer.json()["error"]:
            raise RuntimeError(answer.text[:300])
        return time.perf_counter() - began

    def fill(self, points: int, step: int = 1, first: int = 0, t: float = 1.0) -> None:
        """Store so many points."""
        for start in range(0, points, 50_000):
            xs = [first + x * step for x in range(start, min(points, start + 50_000))]
            self.send([_points(self.graph, xs, t=t)])


def _points(graph: str, xs: list[int], names: int = 1, t: float = 1.0) -> Record:
    values = [x % 1_000 / 7 for x in xs]
    return records.points_record(graph, xs, [t] * len(xs), {f"name {name}": values for name in range(names)})


# the kinds: each prepares what it needs, and returns the seconds


def many_records(to: Sending) -> float:
    return to.send([records.values_record({"v": n}) for n in range(to.some(limits.MAX_BATCH_RECORDS))])


def session_records(to: Sending) -> float:
    count = to.some(limits.MAX_BATCH_RECORDS)
    return to.send(
        [records.session_record(params={f"p{n % 100}": n}, env={"e": "x"}, tags=["a"]) for n in range(count)]
    )


def one_text_over_and_over(to: Sending) -> float:
    return to.send([records.text_record("t", f"{n}") for n in range(to.some(limits.MAX_BATCH_RECORDS))])


def appends_to_one_text(to: Sending) -> float:
    count = to.some(limits.MAX_BATCH_RECORDS)
    return to.send([records.text_record("t", f"line {n}\n", append=True) for n in range(count)])


def new_texts(to: Sending) -> float:
    return to.send([records.text_record(f"t{n}", "x" * 1_000, n) for n in range(to.some(limits.MAX_BATCH_TEXTS))])


def replaced_texts(to: Sending) -> float:
    count = to.some(limits.MAX_BATCH_TEXTS)
    to.send([records.text_record("t", "x" * 1_000, n) for n in range(count)])
    return to.send([records.text_record("t", "y" * 1_000, n) for n in range(count)])


def appends_to_long_texts(to: Sending) -> float:
    count = to.some(limits.MAX_BATCH_TEXTS)
    for start in range(0, count, 400):
        to.send([records.text_record("t", "x" * 60_000, n) for n in range(start, min(count, start + 400))])
    return to.send([records.text_record("t", "y", n, append=True) for n in range(count)])


def new_images(to: Sending) -> float:
    count = to.some(limits.MAX_BATCH_IMAGES)
    return to.send([records.image_record("s", n, "i", "0" * 64, 1, 1, {"o": [n]}, {"m": 1.0}) for n in range(count)])


def new_graphs(to: Sending) -> float:
    titles = [f"graph {n}" for n in range(to.some(limits.MAX_GRAPHS) - 1)]
    return to.send([records.graph_record(records.graph_id(to.session, title), title) for title in titles])


def a_point_for_each_graph(to: Sending) -> float:
    """Two or three records for each of 2,000 graphs, each with 10 names."""
    titles = [f"graph {n}" for n in range(to.some(limits.MAX_GRAPHS) - 1)]
    ids = [records.graph_id(to.session, title) for title in titles]
    to.send([records.graph_record(id_, title) for id_, title in zip(ids, titles, strict=True)])
    count = to.some(limits.MAX_BATCH_COLUMNS) // 10
    return to.send([_points(ids[n % len(ids)], [n], names=10) for n in range(count)])


def records_of_one_point(to: Sending) -> float:
    return to.send([_points(to.graph, [n], names=2) for n in range(to.some(limits.MAX_BATCH_POINTS_RECORDS))])


def points_in_a_row(to: Sending) -> float:
    return to.send([_points(to.graph, list(range(to.some(limits.MAX_BATCH_POINTS))))])


def wide_points(to: Sending) -> float:
    places = to.some(limits.MAX_BATCH_VALUES // limits.MAX_NAMES)
    columns = {f"name {name}": [1] * places for name in range(limits.MAX_NAMES)}
    return to.send([records.points_record(to.graph, list(range(places)), [1.0] * places, columns)])


def wide_records(to: Sending) -> float:
    """Each with a thousand names and one point."""
    return to.send([_points(to.graph, [n], 1_000) for n in range(to.some(limits.MAX_BATCH_COLUMNS) // 1_000)])


def points_over_all_of_int64(to: Sending) -> float:
    return to.send([_points(to.graph, _far_apart(to.some(limits.MAX_BATCH_POINTS)))])


def points_over_all_of_int64_after_near_ones(to: Sending) -> float:
    """The dense points have made fine levels, on which each of the others has a page of its own."""
    to.fill(1_000, first=-(2**63))
    return to.send([_points(to.graph, _far_apart(to.some(limits.MAX_BATCH_POINTS)))])


def late_points_over_all_of_int64(to: Sending) -> float:
    """As many as a record may have: each has a page of its own on a dozen levels, before the last x that there is."""
    to.fill(1_000, first=2**63 - 1_000)
    return to.send([_points(to.graph, _far_apart(to.some(35_000)))])


def points_that_come_closer(to: Sending) -> float:
    """So that finer levels may be made."""
    to.fill(to.some(300_000), step=1_000_000)
    return max(to.send([_points(to.graph, list(range(1_000)))]) for _ in range(3))


def a_rewind_of_a_million_points(to: Sending) -> float:
    to.fill(to.some(MANY_POINTS))
    return to.send([records.rewind_record(10, 2.0)])


def rewinds_of_no_point(to: Sending) -> float:
    to.fill(to.some(MANY_POINTS))
    return to.send([records.rewind_record(n, 0.5) for n in range(limits.MAX_BATCH_REWINDS)])


def rewinds_of_two_far_points(to: Sending) -> float:
    """Between them lie a million others, which stay."""
    to.fill(to.some(MANY_POINTS))
    far = [0, to.some(MANY_POINTS)]
    to.send([_points(to.graph, far, t=0.25 + n / 1_000) for n in range(limits.MAX_BATCH_REWINDS)])
    return to.send([records.rewind_record(-1, 0.25 + n / 1_000) for n in range(limits.MAX_BATCH_REWINDS)])


def rewinds_of_many_graphs(to: Sending) -> float:
    a_point_for_each_graph(to)
    return to.send([records.rewind_record(-1, 2.0)])


def large_values(to: Sending) -> float:
    value = [[n, "x"] for n in range(to.some(80_000))]
    return to.send([records.values_record({"v": value}) for _ in range(12)])


def flat_values(to: Sending) -> float:
    value = list(range(to.some(150_000)))
    return to.send([records.values_record({"v": value}) for _ in range(30)])


def outputs_of_images(to: Sending) -> float:
    outputs = {f"o{n}": [n, {"x": n}] for n in range(100)}
    count = to.some(limits.MAX_BATCH_IMAGES) // 3
    return to.send([records.image_record("s", n, "i", "0" * 64, 1, 1, outputs) for n in range(count)])


def deep_params(to: Sending) -> float:
    """Searched for brackets, since no decoder can read them: 2 MB."""
    count = to.some(900_000)
    deep = f'{{"type": "session", "params": {{"p": {"[" * count + "]" * count}}}}}'
    to.seq += 1
    began = time.perf_counter()
    fields = json.dumps({"session": to.session, "writer": to.writer, "seq": to.seq})[:-1]
    answer = to._http.post(to._server.url + "/api/v2/batches", data=f'{fields}, "records": [{deep}]}}', timeout=300)
    if answer.status_code != 200:
        raise RuntimeError(answer.text[:300])
    return time.perf_counter() - began


def a_list_of_v1(to: Sending) -> float:
    session = to._http.post(to._server.url + "/api/v1/sessions", data='{"tag": "v1"}', timeout=60).json()["session_id"]
    body = {"session_id": session, "title": "loss"}
    graph = to._http.post(to._server.url + "/api/v1/graphs", data=json.dumps(body), timeout=60).json()["graph_id"]
    point = {"session_id": session, "graph_id": graph, "time": 1}
    points = [{**point, "x": n, "y": {"train_loss": n / 7, "val_loss": n / 9}} for n in range(to.some(120_000))]
    return to.send_v1("/point-list", {"point_list": points})


KINDS: tuple[Callable[[Sending], float], ...] = (
    many_records, session_records, one_text_over_and_over, appends_to_one_text, new_texts, replaced_texts,
    appends_to_long_texts, new_images, new_graphs, a_point_for_each_graph, records_of_one_point, points_in_a_row,
    wide_points, wide_records, points_over_all_of_int64, points_over_all_of_int64_after_near_ones,
    late_points_over_all_of_int64, points_that_come_closer, a_rewind_of_a_million_points, rewinds_of_no_point,
    rewinds_of_two_far_points, rewinds_of_many_graphs, large_values, flat_values, outputs_of_images, deep_params,
    a_list_of_v1,
)  # fmt: skip


def run(quick: bool, kinds: tuple[Callable[[Sending], float], ...] = KINDS) -> list[Row]:
    share = 0.02 if quick else 1.0
    with running_server() as server:
        rows = list(_rows("SQLite", server, share, kinds))
    with running_postgres() as postgres, running_server(database_url=postgres.new_database()) as server:
        rows += _rows("PostgreSQL", server, share, kinds)
    return rows


def _rows(name: str, server: Server, share: float, kinds: tuple[Callable[[Sending], float], ...]) -> Iterator[Row]:
    for kind in kinds:
        words = kind.__name__.replace("_", " ")
        say(f"{name}: {words}")
        seconds = kind(Sending(server, share))
        say(f"  {seconds:.2f} s")
        yield Row(f"{name}: {words}", "s", [seconds], bar=f"≤ {LONGEST_S:g} s", met=seconds <= LONGEST_S)


def _far_apart(count: int) -> list[int]:
    return [-(2**63) + n * (INT64_SPAN // count) for n in range(count)]


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("bounds",)))
