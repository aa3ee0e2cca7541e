"""Several writers of one session, killed, resumed, replayed: in the application, on a clock that the test sets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from losswise_server import create_app
from losswise_server.accounts.permissions import Access
from losswise_server.config import load_settings
from losswise_server.db.engine import reading
from losswise_server.db.models import Project
from losswise_server.extensions import db
from losswise_server.ingest import pipeline as ingest
from losswise_server.ingest.decoding import convert_records
from losswise_server.ingest.schema import Batch
from losswise_server.maintenance import silence
from losswise_server.sessions import listing as sessionlist
from losswise_server.sessions import sorting, status
from losswise_server.setup.first_start import prepare
from losswise_server.setup.upgrade import upgrade_schema
from sqlalchemy import select

from losswise.protocol import records
from tests.conftest import DATABASES, database_url

START = 1_700_000_000.0


class House:
    """The application and its clock: seconds since the test began."""

    def __init__(self, access: Access) -> None:
        self.now = 0.0
        self.access = access
        self.project = access.default_project or 0
        self.session = records.new_id()

    def time(self) -> float:
        return START + self.now

    def mark_stale(self) -> int:
        return silence.mark_stale(self.time())

    def row(self) -> dict[str, Any]:
        """The session as it is read; the list must agree, under every filter."""
        with reading() as connection:
            row = sessionlist.read_session_row(connection, self.session)
            assert row is not None
            for state in ("active", "complete", "failed", "cancelled"):
                page = sessionlist.list_sessions(connection, [self.project], status=state, sort="elapsed", limit=1_000)
                assert page["total"] == page["counts"][state] == len(page["sessions"])
                found = [listed for listed in page["sessions"] if listed["id"] == self.session]
                assert found == ([row] if state == row["status"] else [])
        return row

    def status(self) -> str:
        """Status and reason, once the background task has looked for stale sessions."""
        self.mark_stale()
        row = self.row()
        return row["status"] if row["reason"] is None else f"{row['status']} ({row['reason']})"


class Process:
    """A process that writes the house's session, live or as what `losswise sync` replays."""

    def __init__(self, house: House, resumed: bool = False, replay: bool = False) -> None:
        self.house, self.replay = house, replay
        self.writer, self.seq = records.new_id(), 0
        self.graph = records.graph_id(house.session, "loss")
        created_at = None if resumed else house.time()
        self.journal = [
            records.session_record(tag="run", created_at=created_at),
            records.graph_record(self.graph, "loss"),
        ]
        self.deliver()

    def deliver(self) -> None:
        """Send what is in the journal. A journal that is to be replayed waits for it."""
        if not self.replay:
            self.sync()

    def sync(self) -> None:
        self.seq += len(self.journal)
        records = convert_records(self.journal)
        self._apply(Batch(self.house.session, records, self.writer, self.seq, self.replay))
        self.journal = []

    def beat(self) -> None:
        self._apply(Batch(self.house.session, [], self.writer))

    def _apply(self, batch: Batch) -> None:
        ingest.apply(batch, self.house.access, now=self.house.time())

    def point(self, x: int, t: float | None = None) -> None:
        at = self.house.time() if t is None else START + t
        self.journal.append(records.points_record(self.graph, [x], [at], {"a": [float(x)]}))
        self.deliver()

    def end(self, status_: str = "complete", reason: str | None = None) -> None:
        self.journal.append(records.status_record(status_, self.house.time(), reason=reason))
        self.deliver()


@pytest.fixture(scope="module", params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    folder = tmp_path_factory.mktemp("app")
    app = create_app(load_settings(str(folder), database_url(request.param, request), {"LW_SECRET_KEY": "x"}))
    upgrade_schema(app)
    with app.app_context():
        prepare({})
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def house(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with app.app_context():
        with reading() as connection:
            project = connection.execute(select(Project.__table__)).first()
        assert project is not None
        here = frozenset([project.organization_id])
        house = House(Access(here, here, project.organization_id, project.id))
        monkeypatch.setattr(status, "_receiving_since", START - 1_000)
        monkeypatch.setattr(sorting, "time", house)
        yield house
        db.session.rollback()


def test_a_killed_run_resumed_at_once_and_finished_is_complete(house: House) -> None:
    killed = Process(house)
    house.now = 10
    killed.point(0)
    house.now = 20
    resumed = Process(house, resumed=True)
    house.now = 40
    resumed.point(1)
    resumed.end()
    assert house.status() == "active"  # the killed one may live: it was heard 30 s ago
    house.now = 69
    assert house.status() == "active"
    house.now = 71  # a minute after the killed one was heard, not after the end
    assert house.status() == "complete"
    assert house.row()["ended_at"] == START + 40


def test_the_table_sorts_by_the_end_that_it_shows(house: House) -> None:
    made = []
    for seconds in (30, 15, 40):
        house.now, house.session = 0.0, records.new_id()
        Process(house)
        other = Process(house)
        house.now = seconds
        other.beat() if seconds == 15 else other.end()
        made.append(house.session)
    house.now = 101  # all are stale, the second without an end
    assert house.mark_stale() == 3
    with reading() as connection:
        page = sessionlist.list_sessions(connection, [house.project], sort="elapsed", limit=1_000)
    listed = [(row["id"], row["ended_at"] - START) for row in page["sessions"] if row["id"] in made]
    assert listed == [(made[1], 15), (made[0], 30), (made[2], 40)]


def test_a_sweep_tells_what_it_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = Process(house)
    Process(house, resumed=True).end("failed", "error")
    house.now = 61
    version = house.row()["version"]
    told: list[Any] = []
    monkeypatch.setattr(silence.live_changes, "committed", told.append)
    assert house.mark_stale() == 1
    assert [(change.session, change.before, change.version) for change in told] == [
        (house.session, version, version + 1)
    ]
    assert house.status() == "failed (error)"
    killed.beat()  # it was the network
    assert house.status() == "active"
    killed.end()
    assert house.status() == "failed (error)"


def test_a_server_that_was_down_marks_nothing_stale_for_a_minute(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    Process(house)
    house.now = 3_600
    monkeypatch.setattr(status, "_receiving_since", house.time())  # the server has just started
    assert house.status() == "active"
    house.now += 59
    assert house.status() == "active"
    house.now += 2
    assert house.status() == "cancelled (silent)"
    assert house.row()["ended_at"] == START


def test_a_worker_that_left_without_a_word(house: House) -> None:
    main, worker = Process(house), Process(house, resumed=True)
    house.now = 100
    worker.point(0)
    house.now = 105
    main.end()
    house.now = 115
    worker.beat()  # it went a moment after
    house.now = 176
    assert house.status() == "complete"
    assert house.row()["ended_at"] == START + 105


def test_who_goes_on_alone_until_it_is_killed_is_silent(house: House) -> None:
    first, second = Process(house), Process(house, resumed=True)
    house.now = 10
    first.end()
    while house.now < 1_000:
        house.now += 10
        second.beat()
        assert house.status() == "active"
    house.now = 1061
    assert house.status() == "cancelled (silent)"
    assert house.row()["ended_at"] == START + 1000
    third = Process(house, resumed=True)
    assert house.status() == "active"
    house.now = 1070
    third.end()
    assert house.status() == "complete"  # nobody lives: at once


def test_nobody_said_how_it_ended(house: House) -> None:
    Process(house)
    house.now = 61
    assert house.status() == "cancelled (silent)"


def test_who_was_brought_back_by_a_point_has_not_ended(house: House) -> None:
    run = Process(house)
    run.end()
    house.now = 100
    run.point(1)
    assert house.status() == "active"
    house.now = 161
    assert house.status() == "cancelled (silent)"


def test_an_end_that_is_sent_again_is_not_heard(house: House) -> None:
    first, second = Process(house), Process(house, resumed=True)
    first.end()
    house.now = 50
    second.point(0)
    house.now = 100
    first.beat()
    house.now = 111
    assert house.status() == "cancelled (silent)"
    first.beat()
    assert house.status() == "cancelled (silent)"


@pytest.mark.parametrize("killed_first", [True, False])
@pytest.mark.parametrize("later", [0, 3600])
def test_journals_of_a_killed_and_of_a_finished_writer(house: House, killed_first: bool, later: float) -> None:
    killed = Process(house, replay=True)
    house.now = 10
    killed.point(0)
    house.now = 12
    finished = Process(house, resumed=True, replay=True)
    house.now = 20
    finished.point(1)
    finished.end()
    house.now += later
    if killed_first:
        killed.sync()
        assert house.status() == ("cancelled (silent)" if later else "active")
        house.now += 60
        assert house.status() == "cancelled (silent)"
        assert house.row()["ended_at"] == START + 10
        finished.sync()
    else:
        finished.journal[0]["created_at"] = START  # the first of a session must say what it is
        finished.sync()
        assert house.status() == "complete"
        killed.sync()
    assert house.status() == "complete"
    assert house.row()["ended_at"] == START + 20


@pytest.mark.parametrize("alone_first", [True, False])
def test_journals_of_one_that_ended_and_one_that_went_on_alone(house: House, alone_first: bool) -> None:
    ended, alone = Process(house, replay=True), Process(house, replay=True)
    house.now = 10
    ended.end()
    house.now = 1000
    alone.point(1)
    house.now = 1070
    for process in (alone, ended) if alone_first else (ended, alone):
        process.sync()
    assert house.status() == "cancelled (silent)"
    assert house.row()["ended_at"] == START + 1000


def test_the_journal_of_a_killed_run_comes_when_its_session_has_ended(house: House) -> None:
    killed = Process(house)
    house.now = 10
    killed.replay = True
    killed.point(0)
    house.now = 20
    resumed = Process(house, resumed=True)
    house.now = 70
    resumed.end()
    assert house.status() == "complete"
    house.now = 75
    killed.sync()
    assert house.status() == "complete"


def test_a_journal_is_heard_at_its_own_times(house: House) -> None:
    run = Process(house)
    run.replay = True
    house.now = 55
    run.point(0)
    house.now = 62  # stale, but not marked yet
    run.sync()
    assert house.status() == "active"  # as where that point had come when it was made
    house.now = 130
    assert house.status() == "cancelled (silent)"
    assert house.row()["ended_at"] == START + 55
    run.point(1, t=56)
    run.sync()
    assert house.row()["ended_at"] == START + 56
    assert house.status() == "cancelled (silent)"
    run.end("failed", "error")
    run.sync()
    assert house.status() == "failed (error)"


def test_an_old_end_does_not_hide_a_living_writer(house: House) -> None:
    left_over, living = Process(house, replay=True), Process(house)
    left_over.end("failed", "error")
    house.now = 30
    left_over.sync()
    living.beat()
    assert house.status() == "active"
    house.now = 91
    assert house.status() == "cancelled (silent)"


def test_failed_if_one_failed_that_lived_with_the_last_however_they_end(house: House) -> None:
    """Three processes: one fails, one is killed, one completes, in every order."""
    for order in itertools.permutations(("fail", "kill", "complete")):
        house.session = records.new_id()
        house.now += 1_000
        processes = [Process(house) for _ in order]
        for what, process in zip(order, processes, strict=True):
            house.now += 5
            process.beat()
            if what == "fail":
                process.end("failed", "error")
            elif what == "complete":
                process.end()
        house.now += 61
        assert house.status() == "failed (error)", order
