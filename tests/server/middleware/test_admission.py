"""Overload: v2 requests get 429, v1 requests wait, and reading requests are answered meanwhile."""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from losswise_server.cli.wsgi import REQUEST_THREADS
from losswise_server.db.urls import normalize_url, sqlite_url
from losswise_server.exceptions import ApiError
from losswise_server.ingest import pipeline
from losswise_server.middleware.admission import (
    MAX_COST_BYTES,
    MAX_WORKING,
    V1,
    V2,
    AdmissionController,
    Policy,
    Slot,
    body_cost,
    controller,
)
from sqlalchemy import create_engine, text

from losswise.protocol import records
from tests.support.application import DirectWriting, application
from tests.support.batches import Writing
from tests.support.server import API_KEY, Server, eventually

WRITERS = 60
AT_ONCE = Policy(40, 0.0, 429)
PATIENT = Policy(40, 30.0, 429)


def test_the_oldest_request_has_room_whatever_its_size() -> None:
    admission = AdmissionController(max_bytes=100)
    with admission.admit() as oldest, admission.admit(AT_ONCE) as other:
        oldest.reserve(1_000)
        oldest.start_work(2_000)
        with pytest.raises(ApiError, match="send this again") as refusal:
            other.reserve(1)
    assert refusal.value.status == 429
    assert (admission.slots, admission.working, admission.bytes_held) == ([], 0, 0)


def test_working_requests_and_bytes_are_bounded() -> None:
    admission = AdmissionController(max_working=2, max_bytes=100)
    with admission.admit() as oldest, admission.admit(AT_ONCE) as second, admission.admit(AT_ONCE) as third:
        oldest.start_work(40)
        with pytest.raises(ApiError):
            second.start_work(61)
        second.start_work(50)
        third.reserve(10)
        assert (admission.working, admission.bytes_held) == (2, 100)
        with pytest.raises(ApiError):
            third.start_work(10)


def test_slots_are_bounded_and_threads_remain_for_readers() -> None:
    admission = AdmissionController()
    here = [admission.admit(V2) for _ in range(V2.max_requests)]
    for each in here:
        each.__enter__()
    with pytest.raises(ApiError) as refusal:
        admission.admit(V2).__enter__()
    assert refusal.value.status == 429
    more = [admission.admit(V1) for _ in range(V1.max_requests - V2.max_requests)]
    for each in more:
        each.__enter__()
    with pytest.raises(ApiError) as refusal:
        admission.admit(V1).__enter__()
    assert refusal.value.status == 503
    assert V1.max_requests <= REQUEST_THREADS - 16
    for each in here + more:
        each.__exit__(None, None, None)
    assert admission.slots == []


def test_a_waiting_request_gets_the_next_slot() -> None:
    admission = AdmissionController(max_working=1)
    working = threading.Event()

    def wait() -> None:
        with admission.admit(PATIENT) as slot:
            slot.start_work(1)
            working.set()

    with admission.admit() as first:
        first.start_work(1)
        thread = threading.Thread(target=wait)
        thread.start()
        assert not working.wait(0.2)
    assert working.wait(10)
    thread.join(10)


def test_requests_of_one_session_work_one_after_another_and_leave_room_for_others() -> None:
    admission = AdmissionController(max_working=2)
    entered: list[int] = []
    go_on = threading.Event()

    def write(number: int) -> None:
        with admission.admit(PATIENT) as slot:
            slot.start_work(1)
            slot.enter_session("one")
            entered.append(number)
            assert admission.working <= 2
            assert go_on.wait(10)

    with ThreadPoolExecutor(5) as pool:
        writing = [pool.submit(write, number) for number in range(5)]
        assert eventually(lambda: len(admission.slots) == 5 and len(entered) == 1 and admission.working == 1)
        with admission.admit(AT_ONCE) as other, admission.admit(AT_ONCE) as same:
            other.start_work(1)
            other.enter_session("another")
            assert admission.working == 2
            with pytest.raises(ApiError, match="send this again"):
                same.enter_session("one")
        go_on.set()
        for each in writing:
            each.result(20)
    assert sorted(entered) == list(range(5))
    assert admission.slots == []


def test_growing_bodies_do_not_deadlock() -> None:
    """Each holds a fifth of the bytes and then needs half of them: they get it one after another."""
    admission = AdmissionController(max_working=2, max_bytes=100)
    start = threading.Barrier(5)
    most: list[int] = []

    def grow() -> None:
        with admission.admit(PATIENT) as slot:
            slot.reserve(20)
            start.wait(10)
            slot.reserve(50)
            slot.start_work(50)
            most.append(admission.bytes_held)

    with ThreadPoolExecutor(5) as pool:
        for growing in [pool.submit(grow) for _ in range(5)]:
            growing.result(20)
    assert len(most) == 5
    assert max(most) <= 150  # the oldest alone may be above


def test_a_body_without_a_length_counts_as_it_arrives() -> None:
    admission = AdmissionController()
    with admission.admit() as slot:
        assert len(slot.read_body(io.BytesIO(b"x" * 200_000), None)) == 200_000
        assert admission.bytes_held == 200_000


def test_a_body_is_read_only_as_far_as_there_is_room() -> None:
    admission = AdmissionController(max_bytes=100_000)
    with admission.admit() as oldest, admission.admit(AT_ONCE) as slot:
        oldest.reserve(90_000)
        stream = io.BytesIO(b"x" * 200_000)
        with pytest.raises(ApiError):
            slot.read_body(stream, 200_000)
        assert stream.tell() < 200_000


def test_a_slow_body_is_cut_off_if_another_waits() -> None:
    admission = AdmissionController(max_chunk_wait_s=0.05)
    alone = Policy(1, 0.0, 429)
    ours, theirs = socket.socketpair()
    theirs.sendall(b"{")

    def read() -> None:
        with admission.admit(alone, ours) as slot, ours.makefile("rb") as stream:
            slot.read_body(stream, 100)

    def may_enter() -> bool:
        with admission.admit(alone):
            return True

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        assert eventually(lambda: admission.slots)
        time.sleep(0.2)
        assert not reading.done()  # no other request waits
        with pytest.raises(ApiError), admission.admit(alone):
            pass
        with pytest.raises(ApiError, match="too slowly") as refusal:
            reading.result(10)
    assert refusal.value.status == 408
    ours.sendall(b"an answer still gets out")
    assert theirs.recv(100)
    assert may_enter()
    ours.close()
    theirs.close()


def test_a_body_costs_what_is_decoded_from_it() -> None:
    words = b"x" * 1_000
    assert body_cost(words) == 1_000
    assert body_cost(b"[" + b"1," * 1_000 + b"1]") > 10_000
    admission = AdmissionController()
    with admission.admit() as slot:
        slot.start_work(10 * MAX_COST_BYTES)
        assert admission.bytes_held == MAX_COST_BYTES


def test_gzip_and_bodies_without_a_length_cost_their_decoded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes held while a batch of constant columns is applied; they compress to a hundredth."""
    sizes: list[int] = []
    reserved: list[int] = []
    apply, reserve = pipeline.apply, Slot.reserve

    def seen(*args: Any) -> Any:
        sizes.append(controller.bytes_held)
        return apply(*args)

    def seen_reserve(slot: Slot, size: int) -> None:
        reserve(slot, size)
        reserved.append(controller.bytes_held)

    with application(tmp_path, None) as app:
        run = DirectWriting()
        graph = run.graph()
        body = {"format": 1, "session": run.session, "writer": run.writer, "seq": run.seq + 1}
        columns = {f"n{number}": [1] * 1_000 for number in range(100)}
        record = records.points_record(graph, list(range(1_000)), [1.0] * 1_000, columns)
        text = json.dumps({**body, "records": [record]}, separators=(",", ":")).encode()
        monkeypatch.setattr(pipeline, "apply", seen)
        monkeypatch.setattr(Slot, "reserve", seen_reserve)
        headers = {"Authorization": "lw_in_process"}
        client = app.test_client()
        zipped = gzip.compress(text)
        assert len(zipped) * 20 < len(text)
        packed = {**headers, "Content-Encoding": "gzip"}
        assert client.post("/api/v2/batches", data=zipped, headers=packed).status_code == 200
        assert max(reserved) >= len(text)  # before it is unpacked
        ended = {"wsgi.input_terminated": True}
        answer = client.post("/api/v2/batches", input_stream=io.BytesIO(text), headers=headers, environ_overrides=ended)
        assert answer.status_code == 200
    assert sizes == [body_cost(text)] * 2
    assert body_cost(text) > 2 * len(text)


def _old_session(server: Server) -> bool:
    """Whether a published client's session was made."""
    answer = server.request("POST", "/api/v1/sessions", json={"tag": "old", "max_iter": 3})
    return bool(answer.json()["success"])


@contextmanager
def stalled(server: Server) -> Iterator[None]:
    """Lock the database against other writers meanwhile."""
    engine = create_engine(normalize_url(server.database_url) if server.database_url else sqlite_url(server.data_dir))
    with engine.connect() as connection:
        if server.database_url:
            connection.execute(text("LOCK TABLE writers IN EXCLUSIVE MODE"))
        else:
            connection.connection.driver_connection.isolation_level = None
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


@pytest.mark.full_on_postgresql
def test_a_stalled_database_fills_no_memory_and_delays_no_reader(own_server: Server) -> None:
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
            while sum(answer.done() for answer in answers) < WRITERS - V2.max_requests and time.monotonic() < until:
                time.sleep(0.05)
            refused = [answer.result() for answer in answers if answer.done()]
            assert len(refused) >= WRITERS - V2.max_requests
            assert {answer.status_code for answer in refused} == {429}
            assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
            assert refused[0].json()["code"] == "busy"
            patient = pool.submit(_old_session, server)
            for _ in range(5):
                asked_at = time.monotonic()
                assert server.get("/api/v2/sessions")["total"] == WRITERS + 1
                assert time.monotonic() - asked_at < V2.max_wait_s / 2  # it does not wait for the writers
            assert not patient.done()
        assert patient.result(60)
        taken = [answer.result(60).status_code for answer in answers]
        assert set(taken) == {200, 429}
        assert taken.count(200) >= MAX_WORKING
    for number in range(WRITERS):  # as clients do
        assert send(number).status_code == 200
        assert runs[number].row()["points"] == 1


@pytest.fixture
def sqlite_server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path).start()
    yield server
    server.stop()


@pytest.mark.full
def test_slow_uploads_delay_no_reader(sqlite_server: Server) -> None:
    server = sqlite_server
    run = Writing(server)
    head = f"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: {API_KEY}\r\nContent-Length: 100\r\n\r\n{{"
    slow: list[socket.socket] = []

    def send(count: int) -> None:
        for _ in range(count):
            slow.append(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            slow[-1].sendall(head.encode())

    def status() -> int:
        batch = [records.graph_record(records.graph_id(run.session, "loss"), "loss")]
        return server.post_batch(run.session, batch, writer=run.writer, seq=run.seq + 1).status_code

    send(V2.max_requests - 2)
    for _ in range(20):
        assert status() == 200
    send(V1.max_requests)
    assert eventually(lambda: status() == 429)
    assert eventually(lambda: server.request("POST", "/api/v1/sessions", json={"tag": "a"}).status_code == 503)
    assert server.get("/api/v2/sessions")["total"] == 1
    assert eventually(lambda: status() == 200, timeout=40)
    assert slow[0].recv(1_000).startswith(b"HTTP/1.1 408 ")
    for each in slow:
        each.close()
