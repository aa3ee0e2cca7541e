"""Engine options, transactions, and what differs between SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, Insert, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url

from ..extensions import db
from .json_depth import decode_stored
from .sqlite_functions import add_functions

WRITE = "losswise_write"

# Numbers of PostgreSQL's advisory locks. They mean nothing, but servers of several versions must agree on them.
SETUP_LOCK = 0x10551  # migrating, making the first rows
STALE_LOCK = 0x10552  # marking stale sessions
PURGE_LOCK = 0x10553  # deleting rows of deleted sessions
BIN_LOCK = 0x10555  # emptying the bin
BEST_LOCK = 0x10556  # keeping the best values of projects

_sqlite_writer = threading.Lock()
_in_use: set[Any] = set()  # the pool's records of PostgreSQL's connections that are in use


def engine_options(url: str) -> dict[str, Any]:
    """Options of SQLAlchemy's engine.

    The pool is smaller than the number of threads: a request holds a connection only while it uses the database, and a
    live stream holds none.
    """
    common: dict[str, Any] = {
        "pool_size": 16,
        "max_overflow": 16,
        "pool_timeout": 30,
        "json_serializer": _json_text,
        "json_deserializer": decode_stored,
    }
    if make_url(url).get_backend_name() == "sqlite":
        return {**common, "connect_args": {"timeout": 30, "check_same_thread": False}}
    return {**common, "pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}


def insert_or_update(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT into the table in the database's dialect: it has on_conflict_do_update and on_conflict_do_nothing."""
    return sqlite.insert(table) if is_sqlite(connection) else postgresql.insert(table)


def wait_for_advisory_lock(connection: Connection, number: int) -> None:
    """Hold the lock until the transaction ends. Nothing to do on SQLite: it has one writer at a time."""
    if not is_sqlite(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def try_advisory_lock(connection: Connection, number: int) -> bool:
    """Take the lock until the transaction ends; False if another process has it. Always True on SQLite.

    Background work of several workers is done by the one that gets the lock. PostgreSQL frees a lock with the
    transaction or the connection that holds it, so that of a worker that dies passes on to the next that tries.
    """
    if is_sqlite(connection):
        return True
    query = text("SELECT pg_try_advisory_xact_lock(:number)")
    return bool(connection.execute(query, {"number": number}).scalar())


def insert_id(connection: Connection, statement: Insert) -> int:
    """Execute an INSERT; returns the new row's integer key."""
    key = connection.execute(statement).inserted_primary_key
    assert key is not None
    return int(key[0])


def _json_text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def is_sqlite(engine: Engine | Connection) -> bool:
    return engine.dialect.name == "sqlite"


def prepare_engine(engine: Engine) -> None:
    """Set up SQLite connections, and note which ones of PostgreSQL are in use.

    SQLite's use the write-ahead log, and transactions that are begun explicitly: one that will write takes the lock at
    its start. A transaction that starts as a reader and then writes would fail if another one has written meanwhile.
    """
    if not is_sqlite(engine):
        event.listen(engine, "checkout", lambda _connection, record, _proxy: _in_use.add(record))
        # the connection is None if it was lost
        event.listen(engine, "checkin", lambda _connection, record: _in_use.discard(record))
        return
    if engine.url.database:
        _make_private(engine.url.database)

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA cache_size = -65536")
        cursor.close()
        add_functions(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def cancel_statements() -> None:
    """Cancel what PostgreSQL executes for this process, which would go on after the process has ended."""
    for record in list(_in_use):
        with contextlib.suppress(Exception):  # it may have been closed meanwhile
            record.dbapi_connection.cancel()


def _make_private(path: str) -> None:
    """Create a new database file with access for this user only, whatever the folder's mode.

    SQLite gives its write-ahead log the same mode.
    """
    with contextlib.suppress(OSError):  # it exists; or it cannot be created, which SQLite reports
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def writing() -> Iterator[Connection]:
    """A connection in a transaction that may write; commits at the end, rolls back on an exception."""
    engine = db.engine
    if not is_sqlite(engine):
        with engine.begin() as connection:
            yield connection
        return
    # writers of this process wait for a lock in turn; SQLite's own lock would be polled
    with _sqlite_writer, engine.connect() as connection:
        connection = connection.execution_options(**{WRITE: True})
        with connection.begin():
            yield connection


READ_IN_ORDER = "; ".join(
    f"SET LOCAL enable_{method} = off" for method in ("seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin")
)


@contextmanager
def reading(in_order: bool = False) -> Iterator[Connection]:
    """A connection that sees one state of the database throughout, so that points and the session's version agree.

    Args:
        in_order: make PostgreSQL read rows in the order of an index, and only as many as are asked for. Without
            statistics, which a new graph does not have yet, it would read and sort all of its points.
    """
    engine = db.engine
    with engine.connect() as connection:
        if not is_sqlite(engine):
            connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            if in_order:
                read_in_order(connection)
            yield connection


def read_in_order(connection: Connection) -> None:
    """Make PostgreSQL read rows in the order of an index until the transaction ends: see `reading`."""
    if not is_sqlite(connection):
        connection.exec_driver_sql(READ_IN_ORDER)
