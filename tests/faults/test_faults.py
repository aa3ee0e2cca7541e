"""Nothing gets lost, doubled or out of order, whatever fails between a script and the server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from tests.conftest import database_url
from tests.faults.scenarios import (
    Scenario,
    answers_lost,
    faulty_network,
    foreign_answers,
    killed_script,
    killed_server,
    run,
)
from tests.support.server import Server


def numbers(quick: int, full: int) -> pytest.MarkDecorator:
    """The first `quick` scenarios, and in `make test-full` those up to `full`. SCENARIO=N runs only number N."""
    chosen = os.environ.get("SCENARIO")
    if chosen is not None:
        return pytest.mark.parametrize("numbers", [(int(chosen),)], ids=["chosen"])
    parts = [pytest.param(range(quick), id=f"{quick}")]
    if full > quick:
        parts.append(pytest.param(range(quick, full), id=f"{full - quick}-more", marks=pytest.mark.full))
    return pytest.mark.parametrize("numbers", parts)


@pytest.fixture(scope="class")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a class, which names the database."""
    server = Server(tmp_path_factory.mktemp("server"), database_url(request.cls.database, request)).start()
    yield server
    server.kill()


class Faults:
    """The tests of one database. They share a server, and run on it one after the other."""

    database: ClassVar[str]

    @pytest.fixture(autouse=True)
    def tools(
        self, server: Server, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.server, self.folder, self.request, self.capfd = server, tmp_path, request, capfd

    def check(self, scenario: Scenario, numbers: Sequence[int], beside: int = 10) -> None:
        """Run the scenarios, print their counts, and tell of those that went wrong."""
        counts, stories = run(scenario, numbers, self.server, self.folder, beside)
        with self.capfd.disabled():  # stderr, since the stdout of a process of pytest-xdist goes nowhere
            print(f"\n{self.database}, {scenario.__name__}: {counts}", file=sys.stderr)
        if stories:
            test = self.request.node.nodeid.partition("[")[0]
            again = f"one of them again: SCENARIO=number python -m pytest '{test}'"
            pytest.fail("\n\n".join([f"{len(stories)} of {len(numbers)} scenarios went wrong", *stories, again]), False)

    @numbers(10, 300)
    def test_every_point_arrives_once_and_in_order_over_a_faulty_network(self, numbers: Sequence[int]) -> None:
        self.check(faulty_network, numbers)

    @numbers(2, 24)
    def test_a_lost_answer_doubles_no_point(self, numbers: Sequence[int]) -> None:
        self.check(answers_lost, numbers)

    @numbers(2, 24)
    def test_what_is_no_answer_of_the_server_is_none(self, numbers: Sequence[int]) -> None:
        self.check(foreign_answers, numbers)

    @numbers(3, 40)
    def test_a_killed_script_loses_its_last_moments_only(self, numbers: Sequence[int]) -> None:
        self.check(killed_script, numbers, beside=2)

    @numbers(2, 20)
    def test_a_killed_server_has_what_it_acknowledged(self, numbers: Sequence[int]) -> None:
        self.check(killed_server, numbers, beside=1)


class TestSQLite(Faults):
    database = "sqlite"


class TestPostgreSQL(Faults):
    database = "postgresql"
