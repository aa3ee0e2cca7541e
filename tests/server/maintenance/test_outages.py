"""Which errors of a database pass by themselves, and what they are called: real errors of real databases."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg2
import pytest
from losswise_server.db import outages
from losswise_server.db.outages import outage
from losswise_server.db.urls import normalize_url
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from tests.support.postgres import Postgres


def test_sqlite_is_full_or_locked(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.execute("CREATE TABLE t (x)")
    connection.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.Error) as full:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    assert outage(full.value) == outages.FULL
    connection.execute("BEGIN IMMEDIATE")
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})
    with pytest.raises(SQLAlchemyError) as locked, engine.begin() as other:
        other.execute(text("INSERT INTO t VALUES (1)"))
    assert outage(locked.value) == outages.BUSY
    with pytest.raises(SQLAlchemyError) as wrong, engine.begin() as other:
        other.execute(text("SELECT * FROM nothing"))
    assert outage(wrong.value) is None
    connection.close()
    engine.dispose()


def test_postgresql_ends_a_connection_or_is_away(postgres: Postgres) -> None:
    engine = create_engine(normalize_url(postgres.new_database()))
    end = text("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(SQLAlchemyError) as ended, engine.begin() as connection:
        connection.execute(end)
    assert outage(ended.value) in (outages.RESTARTING, outages.UNREACHABLE)
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        with pytest.raises(psycopg2.Error) as raw:
            cursor.execute(str(end))
        assert outage(raw.value) in (outages.RESTARTING, outages.UNREACHABLE)
        with pytest.raises(psycopg2.Error) as closed:
            connection.connection.cursor()
        assert outage(closed.value) == outages.UNREACHABLE
        connection.invalidate()
    with pytest.raises(SQLAlchemyError) as wrong, engine.begin() as connection:
        connection.execute(text("SELECT 1 / 0"))
    assert outage(wrong.value) is None
    engine.dispose()
    with pytest.raises(SQLAlchemyError) as away:
        create_engine("postgresql+psycopg2://somebody@127.0.0.1:1/nothing").connect()
    assert outage(away.value) == outages.UNREACHABLE


def test_other_errors_are_faults() -> None:
    assert outage(ValueError("locked")) is None
