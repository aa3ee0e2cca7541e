"""The bin is emptied of what has been in it for 30 days, and old edits are forgotten."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from losswise_server.db.edit_models import EDIT_KEPT_S, Edit
from losswise_server.db.engine import BIN_LOCK, is_sqlite, reading, writing
from losswise_server.db.models import DeletedSession, PendingPurge, Session
from losswise_server.db.session_tables import SESSION_TABLES
from losswise_server.extensions import db
from losswise_server.maintenance import emptying
from losswise_server.maintenance.emptying import MAX_BIN_AGE_S
from sqlalchemy import insert, select, text, update

from tests.support.application import DirectWriting
from tests.support.batches import Writing
from tests.support.database.rows import database, has_rows, key_of
from tests.support.editing import edit
from tests.support.server import ENDED, Server, eventually

NOW = time.time()


def binned(deleted_at: float | None) -> str:
    """A session that has been in the bin since then; returns its id."""
    run = DirectWriting()
    with writing() as connection:
        connection.execute(update(Session).where(Session.id == run.session).values(deleted_at=deleted_at))
    return run.session


def left(*sessions: str) -> list[str]:
    with reading() as connection:
        found = set(connection.execute(select(Session.id).where(Session.id.in_(sessions))).scalars())
    return [session for session in sessions if session in found]


def test_what_is_long_in_the_bin_is_deleted_for_good(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emptying, "CHUNK_SESSIONS", 2)
    old = [binned(NOW - MAX_BIN_AGE_S - number) for number in range(5)]
    others = [binned(NOW - MAX_BIN_AGE_S + 1), binned(NOW), binned(None)]
    assert emptying.empty_bin(NOW) == 5
    assert left(*old, *others) == others
    with reading() as connection:
        assert set(old) <= set(connection.execute(select(DeletedSession.id)).scalars())
        assert len(connection.execute(select(PendingPurge.session_key)).all()) >= 5
    assert emptying.empty_bin(NOW) == 0


def test_one_worker_empties_the_bin(app: Flask) -> None:
    if is_sqlite(db.engine):
        pytest.skip("SQLite has one process")
    old = binned(NOW - MAX_BIN_AGE_S)
    with db.engine.begin() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": BIN_LOCK})
        assert emptying.empty_bin(NOW) == 0
    assert left(old) == [old]
    assert emptying.empty_bin(NOW) == 1


def test_edits_are_forgotten_after_a_day(app: Flask) -> None:
    ages = {"old": EDIT_KEPT_S, "new": EDIT_KEPT_S - 1}
    with writing() as connection:
        rows = [{"id": id_, "created_at": NOW - age, "changes": {}} for id_, age in ages.items()]
        connection.execute(insert(Edit.__table__), rows)
    emptying.forget_edits(NOW)
    emptying.forget_edits(NOW)
    with reading() as connection:
        assert connection.execute(select(Edit.id)).scalars().all() == ["new"]


@pytest.mark.full_on_postgresql
@pytest.mark.full
def test_a_server_empties_the_bin_by_itself(own_server: Server) -> None:
    run, other = Writing(own_server), Writing(own_server)
    run.points(run.graph(), [0, 1], a=[1.0, 2.0])
    edit(own_server, run.session, other.session, deleted=True)
    key = key_of(own_server, run.session)
    assert own_server.stop() in ENDED
    with database(own_server) as connection:
        where = update(Session.__table__).where(Session.__table__.c.key == key)
        connection.execute(where.values(deleted_at=time.time() - MAX_BIN_AGE_S - 1))
    own_server.start()
    eventually(lambda: own_server.request("GET", f"/api/v2/sessions/{run.session}").status_code == 404)
    eventually(lambda: not any(has_rows(own_server, table.name, key) for table in SESSION_TABLES))
    assert other.row()["deleted_at"] is not None
    answer = own_server.post_batch(run.session, [], writer=run.writer, seq=run.seq)
    assert (answer.status_code, answer.json()["code"]) == (410, "deleted_session")
