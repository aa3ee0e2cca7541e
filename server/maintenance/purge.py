"""Delete the rows of deleted sessions in the background, in small transactions that other writers wait for briefly.

Deleting a session of ten million points takes about a minute. Its key is in the table `pending_purges` from the
transaction that deletes the session until the last of its rows is gone, so a restarted or another worker continues.
SQLite reuses the freed pages; on PostgreSQL autovacuum makes the space usable again.
"""

from __future__ import annotations

import time
from typing import Protocol

from sqlalchemy import Connection, Table, TextClause, delete, select, text

from ..db.engine import PURGE_LOCK, insert_or_update, is_sqlite, reading, try_advisory_lock, writing
from ..db.models import PendingPurge
from ..db.session_tables import SESSION_TABLES
from .periodic import PeriodicTask

INTERVAL_S = 5.0
# Rows per transaction. The first deletes few, since a row of `blobs` may be 8 MiB; later ones adapt to their duration.
MIN_CHUNK_ROWS, MAX_CHUNK_ROWS = 10, 20_000
TARGET_CHUNK_S = 0.1
MIN_PAUSE_S = 0.01


def schedule(connection: Connection, *session_keys: int) -> None:
    """Within the transaction that deletes sessions: have their rows deleted later."""
    statement = insert_or_update(connection, PendingPurge.__table__).on_conflict_do_nothing()
    connection.execute(statement, [{"session_key": key} for key in session_keys])


class Clock(Protocol):
    """The functions of the module `time` that are used."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


def purge(max_chunk_rows: int = MAX_CHUNK_ROWS, clock: Clock = time) -> int:
    """Delete rows of deleted sessions until none is left or another worker takes over; returns how many."""
    purged = 0
    for key in _pending():
        for table in SESSION_TABLES:
            rows = _purge_table(table, key, max_chunk_rows, clock)
            if rows is None:
                return purged
            purged += rows
        with writing() as connection:
            connection.execute(delete(PendingPurge.__table__).where(PendingPurge.__table__.c.session_key == key))
    return purged


purge_task = PeriodicTask("losswise-purge", INTERVAL_S, purge, "rows of deleted sessions could not be deleted")


def _pending() -> list[int]:
    table = PendingPurge.__table__
    with reading() as connection:
        return list(connection.execute(select(table.c.session_key).order_by(table.c.session_key)).scalars())


def _purge_table(table: Table, session_key: int, max_chunk_rows: int, clock: Clock) -> int | None:
    """Delete a session's rows of a table; returns how many, None if another worker holds the lock."""
    purged, size = 0, MIN_CHUNK_ROWS
    while True:
        with writing() as connection:
            began = clock.monotonic()
            if not try_advisory_lock(connection, PURGE_LOCK):
                return None
            if not is_sqlite(connection):
                _prefer_index(connection)
            statement = _delete_chunk(connection, table)
            deleted = connection.execute(statement, {"session_key": session_key, "size": size}).rowcount
        purged += deleted
        if deleted < size:
            return purged
        took = clock.monotonic() - began
        # pause as long as the transaction took, so that other writers get half of the time
        clock.sleep(max(took, MIN_PAUSE_S))
        size = min(size * 2, max_chunk_rows) if took < TARGET_CHUNK_S else max(size // 2, MIN_CHUNK_ROWS)


def _prefer_index(connection: Connection) -> None:
    """PostgreSQL: find rows by the index for this transaction.

    A scan of the table, or of all of the session's rows, would read what earlier chunks deleted again and again.
    """
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    connection.execute(text("SET LOCAL enable_bitmapscan = off"))


def _delete_chunk(connection: Connection, table: Table) -> TextClause:
    own = f"FROM {table.name} WHERE session_key = :session_key"
    if is_sqlite(connection):
        # no second condition on session_key: SQLite would then search through all rows of the session
        return text(f"DELETE FROM {table.name} WHERE rowid IN (SELECT rowid {own} LIMIT :size)")
    return text(f"DELETE {own} AND ctid = ANY (ARRAY (SELECT ctid {own} LIMIT :size))")
