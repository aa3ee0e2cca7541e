"""Streams under load: readers that stall, many readers, connections and workers that die."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg2
import pytest
from losswise_server import create_app
from losswise_server.config import load_settings
from losswise_server.live import events, hub, subscribers
from losswise_server.live.changes import Change

from losswise.protocol import records
from tests.conftest import database_url
from tests.server.live.stream_reader import StreamReader
from tests.support.batches import Writing
from tests.support.network.follower import Follower
from tests.support.network.forwarder import Forwarder
from tests.support.network.stream import SilentStream, Stream
from tests.support.server import Server, eventually

STREAMS = 200
EVENT = 10_000


def subscriber(connection: socket.socket | None = None) -> subscribers.Subscriber:
    return subscribers.Subscriber(frozenset((1,)), frozenset(), connection)


def test_queues_of_stalled_readers_are_bounded_and_shared() -> None:
    readers = [subscriber() for _ in range(50)]
    tracemalloc.start()
    for number in range(10_000):
        event = subscribers.event("points", {"number": number, "pad": "x" * EVENT})
        for reader in readers:
            reader.put(event)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * subscribers.MAX_QUEUED_BYTES  # all of it are 100 MB, and 50 copies of what may wait are 12


def test_a_slow_reader_gets_a_hello_first() -> None:
    reader = subscriber()
    for number in range(200):
        reader.put(subscribers.event("points", {"number": number, "pad": "x" * EVENT}))
    events = reader.stream()
    next(events)
    waiting = next(events)
    assert waiting.startswith(b"event: hello")
    assert waiting.count(b"event: hello") == 1
    assert waiting.count(b"event: points") == waiting.count(b"\n\n") - 1 > 0
    assert b'"number":199,' in waiting
    assert len(waiting) <= subscribers.MAX_QUEUED_BYTES


def test_an_event_is_read_and_encoded_once_for_all_its_readers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    read: list[Change] = []

    def points_event(change: Change, sent: object) -> tuple[bytes, object]:
        read.append(change)
        return subscribers.event("points", {"to": change.version}), sent

    monkeypatch.setattr(events, "points_event", points_event)
    monkeypatch.setattr(events, "session_event", lambda change: subscribers.event("session", {}))
    app = create_app(load_settings(str(tmp_path), None, {"LW_SECRET_KEY": "x"}))
    here = hub.Hub()
    readers = [StreamReader(here.subscribe(app, frozenset((1,)), frozenset(("a" * 20,)))) for _ in range(50)]
    here.publish(Change("a" * 20, 1, 1, 0, 1))
    eventually(lambda: all(reader.names == ["hello", "points", "session"] for reader in readers), every=0.01)
    assert len(read) == 1
    here.close()


def test_a_stream_ends_after_its_lifetime() -> None:
    assert list(subscriber().stream(lifetime_s=0.0)) == []


def test_an_event_larger_than_the_queue_is_sent() -> None:
    reader = subscriber()
    events = reader.stream()
    next(events)
    next(events)
    reader.put(subscribers.event("session", "x" * (subscribers.MAX_QUEUED_BYTES + 1)))
    assert next(events).startswith(b"event: session")


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_thread_that_sends_to_a_dead_reader_is_freed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hangs_up: bool
) -> None:
    monkeypatch.setattr(subscribers, "MAX_BLOCKED_S", 0.3)
    ours, theirs = socket.socketpair()
    app = create_app(load_settings(str(tmp_path), None, {"LW_SECRET_KEY": "x"}))
    here = hub.Hub()
    reader = here.subscribe(app, frozenset((1,)), frozenset(), ours)
    assert reader is not None

    def send() -> None:
        for part in reader.stream():
            try:
                ours.sendall(part)
            except OSError:
                return

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    theirs.settimeout(20)
    received = b""
    while b"event: hello" not in received:  # with it in the queue, a large event would be replaced by another hello
        received += theirs.recv(65_536)
    here.drop_dead()
    assert thread.is_alive()  # it waits for events, and its reader is there
    if hangs_up:
        theirs.close()
    else:
        reader.put(subscribers.event("session", "x" * 10_000_000))
        eventually(lambda: reader.is_dead(time.monotonic()), every=0.01)
    here.drop_dead()
    thread.join(10)
    assert not thread.is_alive()
    assert here.subscriber_count == 0
    here.close()
    theirs.close()
    ours.close()


class Load:
    """Sessions whose points make large events, so many that no reader holds them."""

    def __init__(self, server: Server, sessions: int = 4) -> None:
        self.runs = [Writing(server, tag=f"load {number}") for number in range(sessions)]
        self.graphs = [run.graph() for run in self.runs]
        self.ids = ",".join(run.session for run in self.runs)
        self.rounds = 0

    def write(self, rounds: int) -> None:
        for _ in range(rounds):
            xs = list(range(self.rounds * 150, self.rounds * 150 + 150))
            for run, graph in zip(self.runs, self.graphs, strict=True):
                run.points(graph, xs, None, **{f"name {number}": [0.1] * 150 for number in range(8)})
            self.rounds += 1
            time.sleep(0.1)


def test_a_reader_that_pauses_gets_a_hello_and_others_go_on(server: Server) -> None:
    load = Load(server)
    path = f"/live?project_id={server.project_id()}&session={load.ids}"
    silent = SilentStream(server, path, receive_bytes=4_096)
    assert silent.status == 200
    silent.read(b"event: hello")
    reading = Stream(server, project_id=server.project_id(), session=load.ids)
    reading.wait("hello")
    load.write(10)
    last = {(run.session, run.row()["version"]) for run in load.runs}
    reading.wait("points", lambda data: last.discard((data["session"], data["to"])) or not last)
    assert "hello" not in [name for name, _data in list(reading.events.queue)]
    told = silent.read(b"event: hello")
    assert b"event: hello" in told
    assert len(told) < 500_000  # what was on its way when it stopped; the load are three times that
    [graph] = load.runs[0].row()["graphs"]
    load.runs[0].points(graph["id"], [10**6], None, last=[1.0])
    assert b'"last"' in silent.read(b'"last":{"x":[1000000]')
    silent.close()
    reading.close()


@pytest.mark.full
def test_a_reader_that_never_reads_again_is_cut_off(server: Server) -> None:
    load = Load(server)
    silent = SilentStream(server, f"/live?project_id={server.project_id()}&session={load.ids}", receive_bytes=4_096)
    load.write(10)
    time.sleep(subscribers.MAX_BLOCKED_S + 2 * hub.DEAD_CHECK_INTERVAL_S)
    with contextlib.suppress(ConnectionResetError):
        silent.read(b"event: never", timeout=10)  # a stream that goes on ends this with a time-out
    silent.close()


def connections_of(server: Server) -> tuple[int, int]:
    """How many connections to PostgreSQL a server has, and how many of them wait within a transaction."""
    assert server.database_url is not None
    with psycopg2.connect(server.database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE state LIKE 'idle in%') FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        count, in_transaction = cursor.fetchone() or (0, 0)
    return count, in_transaction


@pytest.mark.full_on_postgresql
def test_many_streams_leave_threads_and_connections_for_requests(own_server: Server) -> None:
    """As many streams as a worker holds, and on PostgreSQL the connections that it has to the database."""
    run = Writing(own_server)
    graph = run.graph()
    path = f"/live?project_id={own_server.project_id()}&session={run.session}"
    held = [SilentStream(own_server, path) for _ in range(STREAMS)]
    assert {stream.status for stream in held} == {200}
    refused = own_server.request("GET", path)
    assert (refused.status_code, refused.json()["code"]) == (503, "full")
    assert int(refused.headers["Retry-After"]) > 0

    def ask(number: int) -> int:
        if number % 4:
            return own_server.request("GET", "/api/v2/sessions").status_code
        Writing(own_server, tag=f"run {number}")
        return 200

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(ask, range(160))) == {200}
    run.points(graph, [0], loss=[0.5])
    for stream in held:
        assert b'"loss":{"x":[0]' in stream.read(b'"loss":{"x":[0]')
    if own_server.database_url:
        # a periodic task may be in a transaction for a moment
        eventually(lambda: connections_of(own_server)[1] == 0)
        assert connections_of(own_server)[0] < 40
    for stream in held:
        stream.close()
    eventually(lambda: SilentStream(own_server, path).status == 200)


def test_every_point_is_sent_once_though_streams_are_cut_within_an_event(server: Server) -> None:
    run = Writing(server)
    graph = run.graph()
    with Forwarder(server.port) as forwarder:
        follower = Follower(server, run.session, graph, server.project_id(), forwarder.url)
        x = 0
        while forwarder.cuts < 6:
            if forwarder.streams:
                forwarder.cut()
            run.points(graph, [x], loss=[1.0])
            x += 1
            time.sleep(0.03)
        follower.wait(list(range(x)))
        assert follower.connects >= 6
        follower.close()


SCRIPT = """
import time
import losswise

session = losswise.Session("goes on", resume={id!r}, track_git=False)
graph = session.graph("loss")
for x in range(400):
    graph.append(x, {{"loss": 1.0}})
    time.sleep(0.02)
session.done()
"""


def start_script(server: Server, session: str) -> subprocess.Popen[str]:
    environ = {**server.environ, "LW_BASE_URL": server.url}
    words = [sys.executable, "-c", SCRIPT.format(id=session)]
    return subprocess.Popen(words, env=environ, cwd=server.folder, stdout=subprocess.DEVNULL, text=True)


def kill_all(server: Server) -> None:
    assert server.process is not None
    workers = psutil.Process(server.process.pid).children()
    server.kill()
    for worker in workers:
        worker.kill()
    psutil.wait_procs(workers, 10)


@pytest.mark.full
@pytest.mark.full_on_postgresql
def test_every_point_is_sent_once_though_the_server_restarts(own_server: Server) -> None:
    run = Writing(own_server)
    graph = run.graph()
    run.points(graph, [0], loss=[1.0])
    port = own_server.port
    follower = Follower(own_server, run.session, graph, own_server.project_id())
    follower.wait([0])
    for x in range(1, 20):
        if x in (6, 12):
            own_server.stop() if x == 6 else kill_all(own_server)
            own_server.start(port=port)
        run.points(graph, [x], loss=[1.0])
    follower.wait(list(range(20)))
    assert follower.connects == 3
    follower.close()


@pytest.fixture
def two_workers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, database_url("postgresql", request), arguments=("--workers", "2")).start()
    yield server
    server.kill()


@pytest.mark.full
def test_every_point_is_sent_once_though_workers_are_killed(two_workers: Server) -> None:
    session = records.new_id()
    graph = records.graph_id(session, "loss")
    script = start_script(two_workers, session)
    eventually(lambda: two_workers.request("GET", f"/api/v2/graphs/{graph}/points").status_code == 200)
    followers = [Follower(two_workers, session, graph, two_workers.project_id()) for _ in range(6)]
    assert two_workers.process is not None
    killed = set()
    for _ in range(4):
        eventually(lambda: all(follower.x for follower in followers))
        workers = psutil.Process(two_workers.process.pid).children()
        victim = min((worker.pid for worker in workers if worker.pid not in killed), default=None)
        if victim is not None:
            killed.add(victim)
            os.kill(victim, signal.SIGKILL)
        time.sleep(1.0)
    assert len(killed) >= 3
    assert script.wait(60) == 0
    for follower in followers:
        follower.wait(list(range(400)))
        follower.close()
    assert sum(follower.connects for follower in followers) > len(followers)


def test_streams_follow_a_session_whichever_worker_stores_its_points(two_workers: Server) -> None:
    """Points go by turns to two workers, whose connections to the database end meanwhile."""
    run = Writing(two_workers)
    graph = run.graph()
    run.points(graph, [0], loss=[1.0])
    followers = [Follower(two_workers, run.session, graph, two_workers.project_id()) for _ in range(6)]
    for follower in followers:
        follower.wait([0])
    assert two_workers.database_url is not None
    with psycopg2.connect(two_workers.database_url) as connection, connection.cursor() as cursor:
        ended = 0
        for x in range(1, 40):
            if x % 10 == 5:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )
                ended += cursor.rowcount
                connection.commit()
            run.points(graph, [x], loss=[1.0])
            time.sleep(0.05)
    assert ended > 1
    for follower in followers:
        follower.wait(list(range(40)))
        follower.close()
