"""More than the server takes in at once: v2 is told to come again, v1 waits, who looks is answered meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from losswise_server.database import normalize_url, sqlite_url
from losswise_server.pressure import BODIES_MOST, BYTES_MOST, WAITING_MOST, Gate, weight
from losswise_server.refused import Refused
from sqlalchemy import create_engine, text

from losswise import records
from tests.support.batches import Writing
from tests.support.server import Server, eventually

WRITERS = 60
TAKEN = BODIES_MOST + WAITING_MOST


def enter(gate: Gate, size: int) -> None:
    """Try to get in, without waiting."""
    with gate.admitted(size, 0.0):
        pass


def test_one_alone_is_let_in_whatever_its_size() -> None:
    gate = Gate(bodies=2, size=100)
    with gate.admitted(1_000), pytest.raises(Refused, match="send this again") as refusal:
        enter(gate, 1)
    assert refusal.value.status == 429
    assert (gate.bodies, gate.size) == (0, 0)


def test_bodies_and_their_bytes_are_bounded() -> None:
    gate = Gate(bodies=2, size=100)
    with gate.admitted(40):
        with pytest.raises(Refused):
            enter(gate, 61)
        with gate.admitted(60), pytest.raises(Refused):
            enter(gate, 0)
        with gate.admitted(60):
            assert (gate.bodies, gate.size) == (2, 100)


def test_so_many_wait_and_no_more_unless_they_must() -> None:
    gate = Gate(bodies=1, waiting=2)
    passed: list[int] = []

    def wait(insist: bool) -> None:
        with gate.admitted(1, 30.0, insist):
            passed.append(1)

    threads = [threading.Thread(target=wait, args=(insist,)) for insist in (False, False, True)]
    with gate.admitted(1):
        for number, thread in enumerate(threads, 1):
            thread.start()
            assert eventually(lambda number=number: gate.waiting == number)  # type: ignore[misc]
        with pytest.raises(Refused), gate.admitted(1, 30.0):
            pass
        assert not passed
    for thread in threads:
        thread.join(10)
    assert (len(passed), gate.waiting, gate.bodies) == (3, 0, 0)


def test_who_is_patient_gets_the_next_room() -> None:
    gate = Gate(bodies=1)
    entered = threading.Event()

    def wait() -> None:
        with gate.admitted(1, 30.0):
            entered.set()

    with gate.admitted(1):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not entered.wait(0.2)
    assert entered.wait(10)
    thread.join(10)


def test_a_body_weighs_what_it_may_become() -> None:
    assert weight(1_000) == 1_000
    assert weight(1_000, "gzip") > 2_000
    assert weight(None) == 0
    assert weight(BYTES_MOST, "gzip") <= BYTES_MOST // 2


def _old_session(server: Server) -> bool:
    """Whether a published client's session was made."""
    answer = server.request("POST", "/api/v1/sessions", json={"tag": "old", "max_iter": 3})
    return bool(answer.json()["success"])


@contextmanager
def stalled(server: Server) -> Iterator[None]:
    """Nobody else can write into the database meanwhile."""
    engine = create_engine(normalize_url(server.database_url) if server.database_url else sqlite_url(server.data_dir))
    with engine.connect() as connection:
        if server.database_url:
            connection.execute(text("LOCK TABLE writers IN EXCLUSIVE MODE"))
        else:
            connection.connection.driver_connection.isolation_level = None  # type: ignore[union-attr]
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


def test_a_stalled_database_fills_no_memory_and_holds_up_nobody_who_looks(own_server: Server) -> None:
    server = own_server
    runs = [Writing(server) for _ in range(WRITERS)]
    graphs = [run.graph() for run in runs]
    assert _old_session(server)

    def send(number: int) -> requests.Response:
        record = records.points_record(graphs[number], [0], [1.0], {"a": [1.0]})
        return server.post_batch(runs[number].session, [record], writer=runs[number].writer, seq=runs[number].seq + 1)

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        with stalled(server):
            answers = [pool.submit(send, number) for number in range(WRITERS)]
            until = time.monotonic() + 15
            while sum(answer.done() for answer in answers) < WRITERS - TAKEN and time.monotonic() < until:
                time.sleep(0.05)
            refused = [answer.result() for answer in answers if answer.done()]
            assert len(refused) >= WRITERS - TAKEN
            assert {answer.status_code for answer in refused} == {429}
            assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
            assert refused[0].json()["code"] == "busy"
            patient = pool.submit(_old_session, server)
            for _ in range(5):
                assert server.get("/api/v2/sessions")["total"] == WRITERS + 1
            assert not patient.done()
        assert patient.result(60)
        taken = [answer.result(60).status_code for answer in answers]
        assert set(taken) == {200, 429}
        assert taken.count(200) >= BODIES_MOST
    for number in range(WRITERS):  # as clients do
        assert send(number).status_code == 200
        assert runs[number].row()["points"] == 1
