"""`losswise server-admin migrate-database`: everything of one database into another, empty one on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    Table,
    Text,
    cast,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError

from .. import create_app
from ..config import CannotStart, Settings
from ..db.engine import SETUP_LOCK, is_sqlite, wait_for_advisory_lock
from ..db.models import points, summaries
from ..db.urls import shown_url
from ..extensions import db
from .upgrade import upgrade_schema

SMALL_ROWS = (points, summaries)
"""Tables of many small rows, which are fetched by the thousand; a row of another may be 8 MiB."""
CHUNK = 64 * 1024
SAY_EVERY = 5.0

Say = Callable[[str], None]


def migrate_database(source: Settings, url: str, say: Say) -> None:
    """Copy all tables to the PostgreSQL database at `url`, in one transaction: all of it is there, or nothing.

    Raises CannotStart where the source is missing, or the target is not an empty PostgreSQL database.
    """
    target = replace(source, database_url=url)
    if target.sqlite:
        raise CannotStart("--to must name a PostgreSQL database, postgresql://user:password@host:5432/name")
    if make_url(source.database_url) == make_url(url):
        raise CannotStart("--to names the database that is to be copied; name the source with --database-url")
    if source.sqlite and not Path(make_url(source.database_url).database or "").is_file():
        raise CannotStart(f"there is no database in {source.data_dir}; name its folder with --data-dir")
    old, new = _engine(source), _engine(target)
    try:
        with old.connect() as reading, new.begin() as writing:
            if not is_sqlite(old):
                reading = reading.execution_options(isolation_level="REPEATABLE READ")
            wait_for_advisory_lock(writing, SETUP_LOCK)
            _require_empty(writing)
            for table in db.metadata.sorted_tables:
                _copy(reading, writing, table, say)
            _set_sequences(reading, writing)
            for table in db.metadata.sorted_tables:
                writing.execute(text(f"ANALYZE {table.name}"))
    except DBAPIError as error:
        raise CannotStart(f"nothing was copied: {_reason(error.orig)}") from None
    finally:
        old.dispose()
        new.dispose()


def _engine(settings: Settings) -> Engine:
    """The database's engine, after its schema was brought up to this program's."""
    app = create_app(settings)
    upgrade_schema(app)
    with app.app_context():
        return db.engine


def _reason(error: BaseException | None) -> str:
    return (str(error).strip() or "the database gives no reason").splitlines()[0]


def _require_empty(target: Connection) -> None:
    for table in db.metadata.sorted_tables:
        if target.execute(select(literal(1)).select_from(table).limit(1)).first() is not None:
            raise CannotStart(
                f"the database {shown_url(target.engine.url)} is not empty (it has rows in "
                f"'{table.name}'); make a new one, and start no server on it before everything is copied"
            )


def _copy(source: Connection, target: Connection, table: Table, say: Say) -> None:
    count = source.execute(select(func.count()).select_from(table)).scalar_one()
    if not count:
        return
    names = ", ".join(column.name for column in table.columns)
    driver = target.connection.cursor()
    try:
        driver.copy_expert(f"COPY {table.name} ({names}) FROM STDIN", _Stream(_lines(source, table, count, say)))
    except target.dialect.loaded_dbapi.Error as error:
        raise CannotStart(f"nothing was copied: the table {table.name}: {_reason(error)}") from None
    finally:
        driver.close()
    arrived = target.execute(select(func.count()).select_from(table)).scalar_one()
    if arrived != count:
        raise CannotStart(f"nothing was copied: of {count} rows of {table.name} only {arrived} arrived")
    say(f"{table.name}: {count:,} row{'' if count == 1 else 's'}")


def _lines(source: Connection, table: Table, count: int, say: Say) -> Iterator[bytes]:
    """The table in COPY's text format, a row at a time."""
    fetched = 5_000 if table in SMALL_ROWS else 10
    query = select(*map(_as_stored, table.columns)).execution_options(yield_per=fetched)
    fields = [_field(column) for column in table.columns]
    said = time.monotonic()
    for number, row in enumerate(source.execute(query), 1):
        yield ("\t".join([field(value) for field, value in zip(fields, row, strict=True)]) + "\n").encode()
        if number % 1_000 == 0 and time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            say(f"{table.name}: {number:,} of {count:,} rows")


def _as_stored(column: Column[Any]) -> Any:
    """JSON as the text that is stored: read and written again, a number or an order might change."""
    return cast(column, Text) if isinstance(column.type, JSON) else column


def _field(column: Column[Any]) -> Callable[[Any], str]:
    """What makes a value of the column a field of COPY's text format."""
    if isinstance(column.type, LargeBinary):
        write: Callable[[Any], str] = _bytes
    elif isinstance(column.type, Boolean):
        write = _boolean
    elif isinstance(column.type, Float):
        write = repr
    elif isinstance(column.type, Integer):
        write = str
    else:
        write = _text
    return lambda value: "\\N" if value is None else write(value)


def _bytes(value: bytes) -> str:
    return "\\\\x" + bytes(value).hex()


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


class _Stream:
    """What COPY reads from: never more than a chunk or a row is in memory."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines

    def read(self, _size: int = -1) -> bytes:
        chunk = bytearray()
        for line in self._lines:
            chunk += line
            if len(chunk) >= CHUNK:
                break
        return bytes(chunk)


def _set_sequences(source: Connection, target: Connection) -> None:
    """The next key is one that was never given, also where the last ones are deleted."""
    for table in db.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        greatest = source.execute(select(func.max(column))).scalar() or 0
        last = max(greatest, _last_given(source, table.name, column.name))
        if last:
            query = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
            target.execute(query, {"table": table.name, "column": column.name, "last": last})


def _last_given(source: Connection, table: str, column: str) -> int:
    if is_sqlite(source):
        if source.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")).first() is None:
            return 0
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        return source.execute(query, {"table": table}).scalar() or 0
    query = text("SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:table, :column) AS regclass))")
    return source.execute(query, {"table": table, "column": column}).scalar() or 0
