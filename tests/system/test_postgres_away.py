"""PostgreSQL is away for a while: what a signed-in person sees, what open pages are told, what the log says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from losswise_server.db import outages

from tests.support.batches import Writing
from tests.support.database.postgres import OwnPostgres, start_postgres
from tests.support.network.stream import Stream
from tests.support.processes import kill_with_workers
from tests.support.server import Server, eventually


@pytest.fixture
def own_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnPostgres]:
    postgres = start_postgres(tmp_path_factory.mktemp("postgres"))
    yield postgres
    postgres.stop()


@pytest.fixture
def own_server(own_postgres: OwnPostgres, tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, own_postgres.new_database()).start()
    yield server
    kill_with_workers(server)


PASSING = (outages.RESTARTING, outages.UNREACHABLE)


def test_a_signed_in_person_is_told_and_the_page_comes_back(own_postgres: OwnPostgres, own_server: Server) -> None:
    server, browser = own_server, own_server.signed_in()
    home = browser.get(server.url + "/", timeout=30).url
    own_postgres.halt()
    for path in ("/", home.removeprefix(server.url), "/login", "/favicon.ico", "/no/such/page"):
        answer = browser.get(server.url + path, timeout=30)
        assert answer.status_code == 503, (path, answer.text)
        assert answer.headers["Retry-After"]
        assert '<meta http-equiv="refresh" content="5">' in answer.text
        assert any(sentence in answer.text for sentence in PASSING), (path, answer.text)
    # what the form held is not sent again by itself
    answer = browser.post(server.url + "/login", data={"email": "a", "password": "b"}, timeout=30)
    assert answer.status_code == 503
    assert "refresh" not in answer.text
    # without a cookie no user is looked up
    assert requests.get(server.url + "/no/such/page", timeout=30).status_code == 404
    own_postgres.restart()
    eventually(lambda: browser.get(home, timeout=30).status_code == 200)
    answer = browser.get(server.url + "/no/such/page", timeout=30)
    assert answer.status_code == 404
    assert "refresh" not in answer.text
    assert "Traceback" not in server.output


@pytest.mark.full
def test_pages_are_told_and_the_log_says_it_once(own_postgres: OwnPostgres, own_server: Server) -> None:
    server = own_server
    writing = Writing(server)
    [project] = server.get("/api/v2/projects")["projects"]
    stream = Stream(server, project_id=project["id"], session=writing.session)
    stream.wait("hello")
    own_postgres.halt()
    assert stream.wait("unavailable")["reason"] in PASSING
    time.sleep(12)  # background tasks retry every 5 s, the listener every second
    events = [name for name, _ in list(stream.events.queue)]
    assert "hello" not in events
    assert "unavailable" not in events
    own_postgres.restart()
    stream.wait("hello")
    eventually(lambda: server.output.count(": no longer") >= 3, timeout=30)
    server.request("GET", "/healthz")
    lines = [line for line in server.output.splitlines() if "ready at" not in line]
    for thing in ("notifications are interrupted", "stale sessions", "rows of deleted sessions"):
        assert len([line for line in lines if thing in line]) == 2, server.output
    assert "Traceback" not in server.output
    stream.close()
