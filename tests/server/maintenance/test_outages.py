"""Outages of the database are told from other errors, with real errors of real databases, and logged once."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import psycopg2
import pytest
from losswise_server.db import outages
from losswise_server.db.engine import prepare_engine
from losswise_server.db.outages import describe_outage
from losswise_server.db.urls import normalize_url
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from tests.support.database.postgres import Postgres


def test_sqlite_full_or_locked(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.Error) as full:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert describe_outage(full.value) == outages.FULL
    connection.execute("BEGIN IMMEDIATE")
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    with pytest.raises(SQLAlchemyError) as locked, engine.begin() as other:
        other.execute(text("INSERT INTO t VALUES (1)"))
    assert describe_outage(locked.value) == outages.BUSY
    with pytest.raises(SQLAlchemyError) as wrong, engine.begin() as other:
        other.execute(text("SELECT * FROM nothing"))
    assert describe_outage(wrong.value) is None
    connection.close()
    engine.dispose()


def test_postgresql_closes_a_connection_or_is_unreachable(postgres: Postgres) -> None:
    engine = create_engine(normalize_url(postgres.new_database()))
    end = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(SQLAlchemyError) as ended, engine.begin() as connection:
        connection.execute(end)
    assert describe_outage(ended.value) in (outages.RESTARTING, outages.UNREACHABLE)
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        with pytest.raises(psycopg2.Error) as raw:
            cursor.execute(str(end))
        assert describe_outage(raw.value) in (outages.RESTARTING, outages.UNREACHABLE)
        with pytest.raises(psycopg2.Error) as closed:
            connection.connection.cursor()
        assert describe_outage(closed.value) == outages.UNREACHABLE
        connection.invalidate()
    with pytest.raises(SQLAlchemyError) as wrong, engine.begin() as connection:
        connection.execute(text("SELECT 1 / 0"))
    assert describe_outage(wrong.value) is None
    engine.dispose()
    with pytest.raises(SQLAlchemyError) as away:
        create_engine("postgresql+psycopg2://somebody@127.0.0.1:1/nothing").connect()
    assert describe_outage(away.value) == outages.UNREACHABLE


def test_lost_connections_keep_no_places_in_the_pool(postgres: Postgres) -> None:
    engine = create_engine(normalize_url(postgres.new_database()), pool_size=1, max_overflow=1, pool_timeout=0.5)
    prepare_engine(engine)
    for _ in range(5):
        with pytest.raises(SQLAlchemyError) as ended, engine.begin() as connection:
            connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        assert describe_outage(ended.value) in (outages.RESTARTING, outages.UNREACHABLE)
    with engine.connect(), engine.connect():
        pass
    engine.dispose()


def test_other_errors_are_no_outages() -> None:
    assert describe_outage(ValueError("locked")) is None


def test_an_outage_is_logged_when_it_begins_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("outages")
    log = outages.OutageLogger("nothing works")
    locked, full = sqlite3.OperationalError("database is locked"), sqlite3.OperationalError("database or disk is full")
    for error in (locked, full, locked, ValueError("a"), ValueError("a"), ValueError("b")):
        log.failed(logger, error)
    log.recovered(logger)
    log.recovered(logger)
    log.failed(logger, locked)
    assert caplog.messages == [
        f"nothing works: {outages.BUSY}",
        "nothing works: ValueError: a",
        "nothing works: ValueError: b",
        "nothing works: no longer",
        f"nothing works: {outages.BUSY}",
    ]


def test_a_line_that_every_request_would_log_is_due_once_an_interval() -> None:
    limit = outages.LogLimit(interval_s=3_600.0)
    assert [limit.is_due() for _ in range(3)] == [True, False, False]
    limit = outages.LogLimit(interval_s=0.0)
    assert [limit.is_due() for _ in range(3)] == [True, True, True]
