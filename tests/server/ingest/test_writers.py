"""Several writers of one session that are killed, resumed and replayed, by a clock that the test sets."""

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
from losswise_server.ingest import pipeline
from losswise_server.ingest.decoding import convert_records
from losswise_server.ingest.schema import Batch
from losswise_server.maintenance import silence
from losswise_server.sessions import listing, sorting, status
from losswise_server.setup.first_start import prepare
from losswise_server.setup.upgrade import upgrade_schema
from sqlalchemy import select

from losswise.protocol import records
from tests.conftest import DATABASES, database_url

START = 1_700_000_000.0


class Setting:
    """The application, a session, and a clock in seconds since the start of the test."""

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
            row = listing.read_session_row(connection, self.session)
            assert row is not None
            for state in ("active", "complete", "failed", "cancelled"):
                page = listing.list_sessions(connection, [self.project], status=state, sort="elapsed", limit=1_000)
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
    """A process that writes the session, live or into a journal that is replayed later."""

    def __init__(self, setting: Setting, resumed: bool = False, replay: bool = False) -> None:
        self.setting, self.replay = setting, replay
        self.writer, self.seq = records.new_id(), 0
        self.graph = records.graph_id(setting.session, "loss")
        created_at = None if resumed else setting.time()
        self.journal = [
            records.session_record(tag="run", created_at=created_at),
            records.graph_record(self.graph, "loss"),
        ]
        self.deliver()

    def deliver(self) -> None:
        """Send the journal, unless it is to be replayed later."""
        if not self.replay:
            self.sync()

    def sync(self) -> None:
        self.seq += len(self.journal)
        records = convert_records(self.journal)
        self._apply(Batch(self.setting.session, records, self.writer, self.seq, self.replay))
        self.journal = []

    def beat(self) -> None:
        self._apply(Batch(self.setting.session, [], self.writer))

    def _apply(self, batch: Batch) -> None:
        pipeline.apply(batch, self.setting.access, now=self.setting.time())

    def point(self, x: int, t: float | None = None) -> None:
        at = self.setting.time() if t is None else START + t
        self.journal.append(records.points_record(self.graph, [x], [at], {"a": [float(x)]}))
        self.deliver()

    def end(self, status_: str = "complete", reason: str | None = None) -> None:
        self.journal.append(records.status_record(status_, self.setting.time(), reason=reason))
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
def setting(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Setting]:
    with app.app_context():
        with reading() as connection:
            project = connection.execute(select(Project.__table__)).first()
        assert project is not None
        here = frozenset([project.organization_id])
        setting = Setting(Access(here, here, project.organization_id, project.id))
        monkeypatch.setattr(status, "_receiving_since", START - 1_000)
        monkeypatch.setattr(sorting, "time", setting)
        yield setting
        db.session.rollback()


def test_a_killed_run_resumed_at_once_and_finished_is_complete(setting: Setting) -> None:
    killed = Process(setting)
    setting.now = 10
    killed.point(0)
    setting.now = 20
    resumed = Process(setting, resumed=True)
    setting.now = 40
    resumed.point(1)
    resumed.end()
    assert setting.status() == "active"  # the killed one was seen 30 s ago, and may still run
    setting.now = 69
    assert setting.status() == "active"
    setting.now = 71  # a minute after the killed one was last seen
    assert setting.status() == "complete"
    assert setting.row()["ended_at"] == START + 40


def test_the_list_sorts_by_the_duration_that_it_shows(setting: Setting) -> None:
    made = []
    for seconds in (30, 15, 40):
        setting.now, setting.session = 0.0, records.new_id()
        Process(setting)
        other = Process(setting)
        setting.now = seconds
        other.beat() if seconds == 15 else other.end()
        made.append(setting.session)
    setting.now = 101  # all are stale, the second without an end
    assert setting.mark_stale() == 3
    with reading() as connection:
        page = listing.list_sessions(connection, [setting.project], sort="elapsed", limit=1_000)
    listed = [(row["id"], row["ended_at"] - START) for row in page["sessions"] if row["id"] in made]
    assert listed == [(made[1], 15), (made[0], 30), (made[2], 40)]


def test_marking_stale_sessions_notifies_pages(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = Process(setting)
    Process(setting, resumed=True).end("failed", "error")
    setting.now = 61
    version = setting.row()["version"]
    told: list[Any] = []
    monkeypatch.setattr(silence.live_changes, "committed", told.append)
    assert setting.mark_stale() == 1
    assert [(change.session, change.before, change.version) for change in told] == [
        (setting.session, version, version + 1)
    ]
    assert setting.status() == "failed (error)"
    killed.beat()  # only its network had failed
    assert setting.status() == "active"
    killed.end()
    assert setting.status() == "failed (error)"


def test_a_server_that_was_down_marks_nothing_stale_for_a_minute(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    Process(setting)
    setting.now = 3_600
    monkeypatch.setattr(status, "_receiving_since", setting.time())  # the server has just started
    assert setting.status() == "active"
    setting.now += 59
    assert setting.status() == "active"
    setting.now += 2
    assert setting.status() == "cancelled (silent)"
    assert setting.row()["ended_at"] == START


def test_a_worker_that_stops_without_a_status_ends_with_the_others(setting: Setting) -> None:
    main, worker = Process(setting), Process(setting, resumed=True)
    setting.now = 100
    worker.point(0)
    setting.now = 105
    main.end()
    setting.now = 115
    worker.beat()  # it stopped shortly after
    setting.now = 176
    assert setting.status() == "complete"
    assert setting.row()["ended_at"] == START + 105


def test_a_writer_that_ran_on_alone_until_it_was_killed_is_silent(setting: Setting) -> None:
    first, second = Process(setting), Process(setting, resumed=True)
    setting.now = 10
    first.end()
    while setting.now < 1_000:
        setting.now += 10
        second.beat()
        assert setting.status() == "active"
    setting.now = 1061
    assert setting.status() == "cancelled (silent)"
    assert setting.row()["ended_at"] == START + 1000
    third = Process(setting, resumed=True)
    assert setting.status() == "active"
    setting.now = 1070
    third.end()
    assert setting.status() == "complete"  # no writer is left: at once


def test_a_session_without_any_end_is_silent(setting: Setting) -> None:
    Process(setting)
    setting.now = 61
    assert setting.status() == "cancelled (silent)"


def test_a_writer_that_sends_points_after_its_end_has_not_ended(setting: Setting) -> None:
    run = Process(setting)
    run.end()
    setting.now = 100
    run.point(1)
    assert setting.status() == "active"
    setting.now = 161
    assert setting.status() == "cancelled (silent)"


def test_an_end_that_is_sent_again_revives_nothing(setting: Setting) -> None:
    first, second = Process(setting), Process(setting, resumed=True)
    first.end()
    setting.now = 50
    second.point(0)
    setting.now = 100
    first.beat()
    setting.now = 111
    assert setting.status() == "cancelled (silent)"
    first.beat()
    assert setting.status() == "cancelled (silent)"


@pytest.mark.parametrize("killed_first", [True, False])
@pytest.mark.parametrize("later", [0, 3600])
def test_journals_of_a_killed_and_of_a_finished_writer(setting: Setting, killed_first: bool, later: float) -> None:
    killed = Process(setting, replay=True)
    setting.now = 10
    killed.point(0)
    setting.now = 12
    finished = Process(setting, resumed=True, replay=True)
    setting.now = 20
    finished.point(1)
    finished.end()
    setting.now += later
    if killed_first:
        killed.sync()
        assert setting.status() == ("cancelled (silent)" if later else "active")
        setting.now += 60
        assert setting.status() == "cancelled (silent)"
        assert setting.row()["ended_at"] == START + 10
        finished.sync()
    else:
        finished.journal[0]["created_at"] = START  # a session needs the time of its creation
        finished.sync()
        assert setting.status() == "complete"
        killed.sync()
    assert setting.status() == "complete"
    assert setting.row()["ended_at"] == START + 20


@pytest.mark.parametrize("alone_first", [True, False])
def test_journals_of_one_that_ended_and_one_that_went_on_alone(setting: Setting, alone_first: bool) -> None:
    ended, alone = Process(setting, replay=True), Process(setting, replay=True)
    setting.now = 10
    ended.end()
    setting.now = 1000
    alone.point(1)
    setting.now = 1070
    for process in (alone, ended) if alone_first else (ended, alone):
        process.sync()
    assert setting.status() == "cancelled (silent)"
    assert setting.row()["ended_at"] == START + 1000


def test_the_journal_of_a_killed_run_arrives_after_the_end(setting: Setting) -> None:
    killed = Process(setting)
    setting.now = 10
    killed.replay = True
    killed.point(0)
    setting.now = 20
    resumed = Process(setting, resumed=True)
    setting.now = 70
    resumed.end()
    assert setting.status() == "complete"
    setting.now = 75
    killed.sync()
    assert setting.status() == "complete"


def test_replayed_records_count_at_their_own_times(setting: Setting) -> None:
    run = Process(setting)
    run.replay = True
    setting.now = 55
    run.point(0)
    setting.now = 62  # stale, but not marked yet
    run.sync()
    assert setting.status() == "active"  # as if the point had arrived when it was recorded
    setting.now = 130
    assert setting.status() == "cancelled (silent)"
    assert setting.row()["ended_at"] == START + 55
    run.point(1, t=56)
    run.sync()
    assert setting.row()["ended_at"] == START + 56
    assert setting.status() == "cancelled (silent)"
    run.end("failed", "error")
    run.sync()
    assert setting.status() == "failed (error)"


def test_an_old_end_does_not_end_a_session_with_a_live_writer(setting: Setting) -> None:
    left_over, living = Process(setting, replay=True), Process(setting)
    left_over.end("failed", "error")
    setting.now = 30
    left_over.sync()
    living.beat()
    assert setting.status() == "active"
    setting.now = 91
    assert setting.status() == "cancelled (silent)"


def test_a_failure_wins_in_any_order_of_ends(setting: Setting) -> None:
    """Three processes: one fails, one is killed, one completes, in every order."""
    for order in itertools.permutations(("fail", "kill", "complete")):
        setting.session = records.new_id()
        setting.now += 1_000
        processes = [Process(setting) for _ in order]
        for what, process in zip(order, processes, strict=True):
            setting.now += 5
            process.beat()
            if what == "fail":
                process.end("failed", "error")
            elif what == "complete":
                process.end()
        setting.now += 61
        assert setting.status() == "failed (error)", order
