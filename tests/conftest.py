"""Fixtures of all tests: servers on both databases, and an environment in which nothing is configured."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.database.postgres import Postgres, start_postgres
from tests.support.quiet import end_sessions
from tests.support.server import Server

DATABASES = ("sqlite", "postgresql")
ABOVE_THE_SERVER = {"browser", "client", "examples", "integrations"}
"""Folders of tests that see the database through the server only, whose own tests run on both."""
SLOW = (
    *("browser", "faults", "integrations", "injection", "demo", "examples", "packaging", "system", "conformance"),
    *("benchmarks", "setup", "live", "delivery", "lifecycle", "commands"),
)
"""Folders of tests that take seconds each."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """What is marked `full_on_postgresql`, and what is above the server, takes its turn on SQLite in `make test`, on
    both in `make test-full`. What is slow begins first, else one process of several ends long after the others; the
    folders take turns, since several browsers at once are slower still."""
    for item in items:
        is_above = bool(ABOVE_THE_SERVER & set(item.nodeid.partition("::")[0].split("/")))
        if "postgresql" in item.name and (is_above or item.get_closest_marker("full_on_postgresql")):
            item.add_marker(pytest.mark.full)
    yield
    places: dict[str, int] = {}
    of_folder = Counter[str]()
    for path in dict.fromkeys(item.nodeid.partition("::")[0] for item in items):
        folder = next((name for name in SLOW if name in path.split("/")), None)
        places[path] = of_folder[folder] if folder else len(items)
        of_folder[folder or ""] += 1
    ranks = {path: rank for rank, path in enumerate(sorted(places, key=lambda path: places[path]))}
    items.sort(key=lambda item: ranks[item.nodeid.partition("::")[0]])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """After all fixtures are gone: nothing of a test speaks in the next one."""
    try:
        return (yield)
    finally:
        end_sessions()


@pytest.fixture(autouse=True)
def clean_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own, and no LW_ or CI variable: a test never sees the person's login."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("LW_", "BUILDKITE_", "LBR_", "GITHUB_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setattr("losswise.util.paths._temporary", lambda: home / "temporary")
    return home


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The server at TEST_POSTGRES_URL, else one that this test run starts."""
    url = os.environ.get("TEST_POSTGRES_URL")
    server = Postgres(url) if url else start_postgres(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()


def database_url(name: str, request: pytest.FixtureRequest) -> str | None:
    """The address of a new, empty database; None for SQLite, which the server makes itself."""
    if name == "sqlite":
        return None
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new_database()


@pytest.fixture(scope="session")
def sqlite_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server")).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgresql_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"), postgres.new_database()).start()
    yield server
    server.stop()


@pytest.fixture(scope="session", params=DATABASES)
def server(request: pytest.FixtureRequest) -> Server:
    """A server that the tests of a run share, on each database. Its admin and key are configured. Both servers run
    until the end: pytest keeps only one variant of a fixture, so this one starts none itself."""
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture(params=DATABASES)
def own_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the test's own, started, on each database: for tests that stop it or need it empty."""
    server = Server(tmp_path_factory.mktemp("server"), database_url(request.param, request)).start()
    yield server
    server.kill()


@pytest.fixture
def new_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Makes servers on SQLite that are not started yet, with arguments of Server."""
    made: list[Server] = []

    def make(**options: object) -> Server:
        server = Server(tmp_path_factory.mktemp("server"), **options)  # type: ignore[arg-type]
        made.append(server)
        return server

    yield make
    for server in made:
        if server.process is not None and server.process.poll() is None:
            server.kill()
