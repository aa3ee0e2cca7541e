"""`losswise server-admin migrate-database`: copy a database to an empty one on PostgreSQL."""

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
from ..db.change_models import ChangeNumbers
from ..db.engine import SETUP_LOCK, is_sqlite, wait_for_advisory_lock
from ..db.models import points, summaries
from ..db.urls import shown_url
from ..extensions import db
from .upgrade import upgrade_schema

# Rows that are fetched at once. Those of other tables may be large: a blob has up to 8 MiB.
FETCH_ROWS = 10
FETCH_SMALL_ROWS = 5_000
SMALL_ROW_TABLES = (points, summaries)
# A migration fills it; how changes are numbered depends on the database, and is settled when a server starts.
OWN_TABLE = ChangeNumbers.__table__
CHUNK_BYTES = 64 * 1024
PROGRESS_INTERVAL_S = 5.0

Report = Callable[[str], None]


def migrate_database(source: Settings, url: str, report: Report) -> None:
    """Copy all tables to the PostgreSQL database at `url`, in one transaction: all or nothing.

    Args:
        report: called with lines that tell the progress.

    Raises CannotStart if the source does not exist or the target is not an empty PostgreSQL database.
    """
    target = replace(source, database_url=url)
    if target.is_sqlite:
        raise CannotStart("--to must name a PostgreSQL database, postgresql://user:password@host:5432/name")
    if make_url(source.database_url) == make_url(url):
        raise CannotStart("--to names the database that is to be copied; name the source with --database-url")
    if source.is_sqlite and not Path(make_url(source.database_url).database or "").is_file():
        raise CannotStart(f"there is no database in {source.data_dir}; name its folder with --data-dir")
    old, new = _engine(source), _engine(target)
    try:
        with old.connect() as reading, new.begin() as writing:
            # one snapshot of all tables, while writers go on; SQLite's read transaction is one anyway
            if not is_sqlite(old):
                reading = reading.execution_options(isolation_level="REPEATABLE READ")
            wait_for_advisory_lock(writing, SETUP_LOCK)
            copied = [table for table in db.metadata.sorted_tables if table is not OWN_TABLE]
            _require_empty(writing, copied)
            for table in copied:
                _copy(reading, writing, table, report)
            _set_sequences(reading, writing)
            for table in db.metadata.sorted_tables:
                writing.execute(text(f"ANALYZE {table.name}"))
    except DBAPIError as error:
        raise CannotStart(f"nothing was copied: {_reason(error.orig)}") from None
    finally:
        old.dispose()
        new.dispose()


def _engine(settings: Settings) -> Engine:
    """The database's engine, after its schema was migrated to this version."""
    app = create_app(settings)
    upgrade_schema(app)
    with app.app_context():
        return db.engine


def _reason(error: BaseException | None) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0]


def _require_empty(target: Connection, tables: list[Table]) -> None:
    for table in tables:
        if target.execute(select(literal(1)).select_from(table).limit(1)).first() is not None:
            raise CannotStart(
                f"the database {shown_url(target.engine.url)} is not empty (it has rows in "
                f"'{table.name}'); create a new one, and start no server on it before the copy is complete"
            )


def _copy(source: Connection, target: Connection, table: Table, report: Report) -> None:
    count = source.execute(select(func.count()).select_from(table)).scalar_one()
    if not count:
        return
    names = ", ".join(column.name for column in table.columns)
    driver = target.connection.cursor()
    try:
        driver.copy_expert(f"COPY {table.name} ({names}) FROM STDIN", _CopyReader(_rows(source, table, count, report)))
    except target.dialect.loaded_dbapi.Error as error:
        raise CannotStart(f"nothing was copied: the table {table.name}: {_reason(error)}") from None
    finally:
        driver.close()
    arrived = target.execute(select(func.count()).select_from(table)).scalar_one()
    if arrived != count:
        raise CannotStart(f"nothing was copied: only {arrived} of {count} rows of {table.name} were transferred")
    report(f"{table.name}: {count:,} row{'' if count == 1 else 's'}")


def _rows(source: Connection, table: Table, count: int, report: Report) -> Iterator[bytes]:
    """The table in COPY's text format, row by row."""
    fetched = FETCH_SMALL_ROWS if table in SMALL_ROW_TABLES else FETCH_ROWS
    query = select(*map(_as_stored, table.columns)).execution_options(yield_per=fetched)
    fields = [_field(column) for column in table.columns]
    reported_at = time.monotonic()
    for number, row in enumerate(source.execute(query), 1):
        yield ("\t".join([field(value) for field, value in zip(fields, row, strict=True)]) + "\n").encode()
        if number % 1_000 == 0 and time.monotonic() - reported_at > PROGRESS_INTERVAL_S:
            reported_at = time.monotonic()
            report(f"{table.name}: {number:,} of {count:,} rows")


def _as_stored(column: Column[Any]) -> Any:
    """Select JSON as its stored text: decoding and encoding it might change numbers or the order of names."""
    return cast(column, Text) if isinstance(column.type, JSON) else column


def _field(column: Column[Any]) -> Callable[[Any], str]:
    """A function that writes a value of the column in COPY's text format."""
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


class _CopyReader:
    """The file that COPY reads: at most a chunk, or one row if that is longer, is in memory."""

    def __init__(self, rows: Iterator[bytes]) -> None:
        self._rows = rows

    def read(self, _size: int = -1) -> bytes:
        chunk = bytearray()
        for row in self._rows:
            chunk += row
            if len(chunk) >= CHUNK_BYTES:
                break
        return bytes(chunk)


def _set_sequences(source: Connection, target: Connection) -> None:
    """Continue the sequences of the source, so that the keys of deleted rows are not given again."""
    for table in db.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        greatest = source.execute(select(func.max(column))).scalar() or 0
        last = max(greatest, _last_value(source, table.name, column.name))
        if last:
            query = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")
            target.execute(query, {"table": table.name, "column": column.name, "last": last})


def _last_value(source: Connection, table: str, column: str) -> int:
    """The last key that the source's sequence has given; 0 if none."""
    if is_sqlite(source):
        if source.execute(text("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'")).first() is None:
            return 0
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        return source.execute(query, {"table": table}).scalar() or 0
    query = text("SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence(:table, :column) AS regclass))")
    return source.execute(query, {"table": table, "column": column}).scalar() or 0
