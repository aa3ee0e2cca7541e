"""Change numbers: a reader that follows the cursor has what its snapshot holds, in whatever order commits come."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import current_app
from losswise_server.accounts.projects import insert_project
from losswise_server.db.change_models import ChangeNumbers, Removal
from losswise_server.db.engine import is_sqlite, reading, writing
from losswise_server.db.keyset import read_cursor
from losswise_server.db.models import Session
from losswise_server.maintenance import deletion, removals, silence
from losswise_server.sessions import change_numbers, changed_sessions
from losswise_server.sessions.change_numbers import Cursor, next_change, note_removals, settle
from losswise_server.sessions.changed_sessions import read_changes
from sqlalchemy import Connection, cast, func, select, text, update
from sqlalchemy.types import Text

from losswise.protocol import records
from tests.support.application import DirectWriting

table = Session.__table__
on_postgresql = pytest.mark.parametrize("app", ["postgresql"], indirect=True)
"""For what SQLite cannot do: it has one writer at a time, and its counter is part of the database."""
WRITERS = 4
STRESS_S, MAX_STRESS_S = 3.0, 60.0
"""At least and at most: on a slow machine it goes on until the reader has asked and heard enough."""


class Reader:
    """Follows the changes of a project. `rows` is what it knows: {session: tag}."""

    def __init__(self, project: int) -> None:
        self.project = project
        self.rows: dict[str, str] = {}
        self.cursor: str | None = None
        self.heard: list[tuple[str, str]] = []
        self.answer: dict[str, Any] = {}
        with reading() as connection:
            self.rows = self._state(connection)
            self.cursor = read_changes(connection, [project], None)["cursor"]

    def ask(self, **query: Any) -> dict[str, Any]:
        """Ask for changes, and compare what it knows now with the snapshot of the answer."""
        with reading() as connection:
            since = read_cursor(str(self.cursor), Cursor)
            answer = read_changes(connection, [self.project], since, **query)
            held = self._state(connection)
        self.cursor = answer["cursor"]
        if "reset" in answer:
            self.rows = held
            return answer
        for session in answer["sessions"]:
            self.rows[session["id"]] = session["tag"]
            self.heard.append((session["id"], session["tag"]))
        for id_ in answer["gone"]:
            self.rows.pop(id_, None)
        if not query:
            assert self.rows == held
        return answer

    def _state(self, connection: Connection) -> dict[str, str]:
        query = select(table.c.id, table.c.tag).where(table.c.project_id == self.project)
        return {row.id: row.tag for row in connection.execute(query)}


def project_of(run: DirectWriting) -> int:
    assert run.access.default_project is not None
    return run.access.default_project


def key_of(run: DirectWriting) -> int:
    with reading() as connection:
        return int(connection.execute(select(table.c.key).where(table.c.id == run.session)).scalar_one())


def rename(connection: Connection, key: int, tag: str) -> None:
    connection.execute(update(table).where(table.c.key == key).values(tag=tag, change=next_change(connection)))


def in_thread(act: Callable[[], None]) -> tuple[threading.Thread, list[BaseException]]:
    """A thread in the application's context, and what it raised."""
    app, errors = current_app._get_current_object(), []  # type: ignore[attr-defined]

    def run() -> None:
        try:
            with app.app_context():
                act()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


@pytest.mark.parametrize("seed", range(2))
def test_a_reader_misses_nothing_while_commits_come_in_any_order(app: None, seed: int) -> None:
    """Writers take their number and commit after a while, roll back, delete; one takes its number first and commits
    last. Whenever it asks, the reader knows what its snapshot holds, and it hears of each change once."""
    runs = [DirectWriting() for _ in range(12)]
    keys = [key_of(run) for run in runs]
    project = project_of(runs[0])
    with reading() as connection:
        is_one_writer = is_sqlite(connection)
    reader = Reader(project)
    begun, enough = threading.Event(), threading.Event()

    def write(number: int) -> None:
        chance = random.Random(100 * seed + number)
        step = 0
        while not enough.is_set():
            step += 1
            key, tag = chance.choice(keys[1:]), f"{number}.{step}"
            if chance.random() < 0.05:
                DirectWriting()  # a new one, by the ordinary way
                continue
            if chance.random() < 0.03:
                deletion.delete_session(chance.choice(runs[6:]).session)
                continue
            try:
                with writing() as connection:
                    rename(connection, key, tag)
                    time.sleep(chance.choice([0, 0, 0.002, 0.03]) / (10 if is_one_writer else 1))
                    if chance.random() < 0.1:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass

    def write_late() -> None:
        with writing() as connection:
            rename(connection, keys[0], "late")
            begun.set()
            if is_one_writer:
                time.sleep(0.2)
            else:
                enough.wait()
                time.sleep(0.3)

    late, late_errors = in_thread(write_late)
    assert begun.wait(10)
    writers = [in_thread(lambda number=number: write(number)) for number in range(WRITERS)]  # type: ignore[misc]
    began, asked = time.monotonic(), 0
    try:
        while (took := time.monotonic() - began) < STRESS_S or asked <= 20 or len(reader.heard) <= 50:
            assert took < MAX_STRESS_S, (asked, len(reader.heard))
            reader.ask()
            asked += 1
            assert all(thread.is_alive() for thread, _ in writers)
        assert late.is_alive() is not is_one_writer
    finally:
        enough.set()
    while any(thread.is_alive() for thread, _ in writers):
        reader.ask()
    for thread, errors in [*writers, (late, late_errors)]:
        thread.join()
        assert errors == []
    reader.ask()
    assert reader.rows[runs[0].session] == "late"
    assert len(set(reader.heard)) == len(reader.heard)
    assert reader.ask() == {"cursor": reader.cursor, "sessions": [], "new": [], "gone": [], "removed": []}


@on_postgresql
def test_a_change_that_took_its_number_first_and_its_lock_last_is_heard(app: None) -> None:
    """On PostgreSQL a transaction that waits for a row may write a number below the one that is there."""
    run = DirectWriting()
    key, reader = key_of(run), Reader(project_of(run))
    first, waiting = threading.Event(), threading.Event()

    def write() -> None:
        with writing() as connection:
            connection.execute(select(cast(func.pg_current_xact_id(), Text)))
            first.set()
            waiting.wait(10)
            rename(connection, key, "second")

    thread, errors = in_thread(write)
    assert first.wait(10)
    with writing() as connection:
        rename(connection, key, "first")
    reader.ask()
    assert reader.rows[run.session] == "first"
    waiting.set()
    thread.join()
    assert errors == []
    reader.ask()
    assert reader.rows[run.session] == "second"


def test_what_the_table_shows_raises_the_number(app: None) -> None:
    run = DirectWriting()
    graph = run.graph()
    reader = Reader(project_of(run))
    acts: list[Callable[[], Any]] = [
        lambda: run.send(records.points_record(graph, [0], [time.time()], {"a": [1.0]})),
        lambda: run.send(records.values_record({"best": 1})),
        lambda: run.send(records.status_record("complete", time.time())),
        lambda: run.send(records.session_record(tag="again")),
    ]
    for act in acts:
        act()
        [session] = reader.ask()["sessions"]
        assert session["id"] == run.session
        run.send()  # a heartbeat is no news
        assert reader.ask()["sessions"] == []
    silent = DirectWriting()
    assert [session["id"] for session in reader.ask()["sessions"]] == [silent.session]
    silence.mark_stale(time.time() + 1_000)
    reasons = {session["id"]: session["reason"] for session in reader.ask()["sessions"]}
    assert reasons[silent.session] == "silent"
    deletion.delete_session(silent.session)
    assert reader.ask()["gone"] == [silent.session]


def test_changes_come_in_their_order_with_what_is_new(app: None) -> None:
    first, second, third = DirectWriting(), DirectWriting(), DirectWriting()
    reader = Reader(project_of(first))
    third.graph()
    fourth = DirectWriting()
    first.graph()
    answer = reader.ask()
    assert [session["id"] for session in answer["sessions"]] == [third.session, fourth.session, first.session]
    numbers = [session["change"] for session in answer["sessions"]]
    assert numbers == sorted(set(numbers))
    assert answer["new"] == [fourth.session]
    second.graph()
    assert reader.ask()["new"] == []


def test_a_session_that_is_moved_away_and_back(app: None) -> None:
    run = DirectWriting()
    key, here = key_of(run), project_of(run)
    with writing() as connection:
        [organization] = run.access.writable
        there = insert_project(connection, organization, f"there {run.session}")
    reader, other = Reader(here), Reader(there)
    old = reader.cursor

    def move(source: int, target: int) -> None:
        with writing() as connection:
            columns = {"project_id": target, "change": next_change(connection)}
            connection.execute(update(table).where(table.c.key == key).values(columns))
            note_removals(connection, [(source, run.session)])

    move(here, there)
    assert reader.ask()["gone"] == [run.session]
    assert [session["id"] for session in other.ask()["sessions"]] == [run.session]
    move(there, here)
    assert [session["id"] for session in reader.ask()["sessions"]] == [run.session]
    assert other.ask()["gone"] == [run.session]
    reader.cursor = old
    answer = reader.ask()
    assert [session["id"] for session in answer["sessions"]] == [run.session]
    assert answer["gone"] == []


def test_too_many_changes_are_a_reset(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_sessions, "MAX_CHANGES", 4)
    runs = [DirectWriting() for _ in range(5)]
    reader = Reader(project_of(runs[0]))
    for run in runs[:4]:
        run.graph()
    assert len(reader.ask()["sessions"]) == 4
    for run in runs[:4]:
        run.graph("other")
    deletion.delete_session(runs[4].session)
    assert reader.ask() == {"cursor": reader.cursor, "reset": True}
    assert reader.ask()["sessions"] == []


@on_postgresql
def test_many_running_transactions_are_left_out_of_the_cursor(app: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_numbers, "MAX_RUNNING", 0)
    run = DirectWriting()
    key, reader = key_of(run), Reader(project_of(run))
    begun, done = threading.Event(), threading.Event()

    def write() -> None:
        with writing() as connection:
            rename(connection, key, "late")
            begun.set()
            done.wait(10)

    thread, errors = in_thread(write)
    assert begun.wait(10)
    other = DirectWriting()
    for _ in range(2):  # it comes again until the older transaction has ended
        assert other.session in [session["id"] for session in reader.ask()["sessions"]]
    done.set()
    thread.join()
    assert errors == []
    assert reader.rows[run.session] != "late"
    reader.ask()
    assert reader.rows[run.session] == "late"
    assert reader.ask()["sessions"] == []


# cursors that are outdated


def test_removals_are_forgotten_after_a_week(app: None) -> None:
    run, gone = DirectWriting(), DirectWriting()
    early, late = Reader(project_of(run)), Reader(project_of(run))
    deletion.delete_session(gone.session)
    late.ask()
    week = change_numbers.REMEMBERED_S
    assert removals.forget(time.time() + week - 60) == 0
    assert removals.forget(time.time() + week + 60) >= 1
    assert removals.forget(time.time() + week + 60) == 0
    with reading() as connection:
        assert connection.execute(select(func.count()).select_from(Removal)).scalar_one() == 0
    run.graph()
    assert "reset" in early.ask()
    assert [session["id"] for session in late.ask()["sessions"]] == [run.session]


def outdated_after(act: Callable[[Connection], Any]) -> None:
    """The cursor of a reader is outdated by this; what is written afterwards is heard again."""
    run = DirectWriting()
    reader = Reader(project_of(run))
    with writing() as connection:
        act(connection)
    run.graph()
    assert "reset" in reader.ask()
    run.graph("second")
    assert [session["id"] for session in reader.ask()["sessions"]] == [run.session]


def test_a_cursor_that_is_ahead_of_the_database_is_outdated(app: None) -> None:
    run = DirectWriting()
    reader = Reader(project_of(run))
    cursor = read_cursor(str(reader.cursor), Cursor)
    with reading() as connection:
        ahead = Cursor(cursor.epoch, cursor.low, cursor.high + 1, [cursor.low], cursor.newest_key)
        assert "reset" in read_changes(connection, [reader.project], ahead)
        assert "reset" not in read_changes(connection, [reader.project], cursor)


@on_postgresql
def test_numbers_go_on_rising_in_another_cluster(app: None) -> None:
    """As after a dump of a cluster that has counted far was restored in this one, and a server starts."""
    run, other = DirectWriting(), DirectWriting()
    far = 10**15

    def restore(connection: Connection) -> None:
        connection.execute(update(table).where(table.c.id == other.session).values(change=far))
        settle(connection)

    outdated_after(restore)
    reader = Reader(project_of(run))
    run.graph("third")
    [session] = reader.ask()["sessions"]
    assert session["change"] > far
    with reading() as connection:
        before = connection.execute(select(ChangeNumbers.__table__)).one()
    with writing() as connection:
        settle(connection)  # the next start changes nothing
        assert connection.execute(select(ChangeNumbers.__table__)).one() == before


@on_postgresql
def test_another_cluster_begins_an_epoch(app: None) -> None:

    def restore(connection: Connection) -> None:
        connection.execute(text("UPDATE change_numbers SET cluster = '7/1'"))
        settle(connection)

    outdated_after(restore)
