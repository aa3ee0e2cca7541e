"""SIGTERM ends the server within ten seconds, whatever its requests wait for; nothing of them goes on afterwards."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
import requests

from losswise.protocol import records
from tests.support.batches import Writing
from tests.support.database.rows import database
from tests.support.network.stream import Stream
from tests.support.server import ENDED, Server, eventually

MAX_END_S = 10.0
LOCKS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT 1 FROM sessions FOR UPDATE"}


def ends(server: Server, number: int = signal.SIGTERM) -> None:
    """Send the signal; the server must end in time, and free its port."""
    assert server.process is not None
    port, began = server.port, time.monotonic()
    server.process.send_signal(number)
    status = server.process.wait(MAX_END_S + 20)
    assert time.monotonic() - began < MAX_END_S
    assert status in ENDED
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@contextlib.contextmanager
def locked(server: Server) -> Iterator[Callable[[], int]]:
    """Sessions cannot be written; a function that counts the database's connections of the server."""
    with database(server) as connection:
        connection.exec_driver_sql(LOCKS[connection.dialect.name])

        def count() -> int:
            if server.database_url is None:
                return 0
            with contextlib.closing(psycopg2.connect(server.database_url)) as other, other.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
                row = cursor.fetchone()
                assert row is not None
                return int(row[0]) - 2  # this one and the one that holds the lock

        yield count


def in_threads(count: int, work: Callable[[int], Any]) -> list[threading.Thread]:
    def run(number: int) -> None:
        with contextlib.suppress(requests.RequestException, AssertionError):
            work(number)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_with_batches_that_wait_for_the_database(own_server: Server, number: int) -> None:
    runs = [Writing(own_server) for _ in range(10)]
    answers: list[requests.Response] = []

    def post(number: int) -> None:
        batch = [records.values_record({"a": 1})]
        answers.append(own_server.post_batch(runs[number].session, batch, writer=records.new_id(), seq=1))

    with locked(own_server) as connections:
        threads = in_threads(len(runs), post)
        if own_server.database_url is not None:
            eventually(lambda: connections() >= len(runs))
        time.sleep(0.5)
        assert answers == []
        ends(own_server, number)
        # their statements do not wait for the lock any more
        eventually(lambda: connections() == 0)
        for thread in threads:
            thread.join(10)
    # what is answered says that it can be sent again
    assert {answer.status_code for answer in answers} <= {503}
    own_server.start()
    runs[0].send(records.values_record({"b": 2}))
    assert runs[0].row()["values"] == {"b": 2}


@pytest.mark.full_on_postgresql
def test_with_batches_at_work(own_server: Server) -> None:
    """As many and as large as the server takes at once, one after another."""
    run = Writing(own_server)
    batch = [records.text_record(f"text {number}", "x" * 1_000, append=True) for number in range(4_000)]

    def post(number: int) -> None:
        writer, seq = f"{number:020x}", 0
        while True:
            seq += len(batch)
            assert own_server.post_batch(run.session, batch, writer=writer, seq=seq).status_code in (200, 429, 503)

    in_threads(16, post)
    time.sleep(2.0)
    ends(own_server)


@pytest.mark.full_on_postgresql
def test_with_streams_and_connections_that_send_nothing(own_server: Server) -> None:
    run = Writing(own_server)
    streams = [Stream(own_server, project_id=own_server.project_id(), session=[run.session]) for _ in range(10)]
    for stream in streams:
        stream.wait("hello")
    head = f"POST /api/v2/batches HTTP/1.1\r\nHost: x\r\nAuthorization: {own_server.api_key}\r\n"
    silent = []
    for number in range(30):
        connection = socket.create_connection(("127.0.0.1", own_server.port))
        # half a body, half a head, or nothing at all
        connection.sendall((head + "Content-Length: 1000\r\n\r\n{", head, "")[number % 3].encode())
        silent.append(connection)
    with requests.Session() as kept_alive:
        kept_alive.get(own_server.url + "/healthz", timeout=30)
        time.sleep(0.5)
        ends(own_server)
    for stream in streams:
        stream.close()
    for connection in silent:
        connection.close()


@pytest.mark.full
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals")
def test_with_a_worker_that_does_not_answer_signals(own_server: Server) -> None:
    """As one whose threads never give up the interpreter: it is killed."""
    psutil = pytest.importorskip("psutil")
    assert own_server.process is not None
    workers = eventually(psutil.Process(own_server.process.pid).children)
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    ends(own_server)
    assert psutil.wait_procs(workers, timeout=10)[1] == []
