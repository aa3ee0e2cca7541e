"""The rows of deleted sessions go in the background, a piece at a time, so that nobody waits for them.

A session of ten million points is a minute of deleting. Its key stands in the table `freeing` from the transaction
that deletes it until the last of its rows is gone, so a restart, or another worker, goes on where one stopped.
SQLite reuses the pages that become free; on PostgreSQL autovacuum makes the space usable again.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, Table, TextClause, delete, select, text
from sqlalchemy.dialects import postgresql, sqlite

from ..db.engine import is_sqlite, reading, writing
from ..db.models import PendingPurge
from ..db.session_tables import PARTS
from .periodic import Chore

EVERY = 5.0
FREEING_LOCK = 0x10553
FIRST_PIECE, LARGEST_PIECE = 10, 20_000
"""Rows of a transaction. It begins with few: a blob may be 8 MiB."""
PIECE_SECONDS = 0.1
LEAST_PAUSE = 0.01


def mark(connection: Connection, session_key: int) -> None:
    """Within the transaction that deletes the session: its rows are to go."""
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    connection.execute(insert(PendingPurge.__table__).values(session_key=session_key).on_conflict_do_nothing())


def free() -> int:
    """Delete rows of deleted sessions until none is left, or another worker is at it; returns how many."""
    gone = 0
    for key in _waiting():
        for table in PARTS:
            freed = _free_table(table, key)
            if freed is None:
                return gone
            gone += freed
        with writing() as connection:
            connection.execute(delete(PendingPurge.__table__).where(PendingPurge.__table__.c.session_key == key))
    return gone


freer = Chore("losswise-freeing", EVERY, free, "rows of deleted sessions could not be deleted")


def _waiting() -> list[int]:
    table = PendingPurge.__table__
    with reading() as connection:
        return list(connection.execute(select(table.c.session_key).order_by(table.c.session_key)).scalars())


def _free_table(table: Table, session_key: int) -> int | None:
    """Delete a session's rows of a table; returns how many, None where another worker is at it."""
    gone, size = 0, FIRST_PIECE
    while True:
        with writing() as connection:
            began = time.monotonic()
            if not _mine(connection):
                return None
            deleted = connection.execute(_piece(connection, table), {"session_key": session_key, "size": size}).rowcount
        gone += deleted
        if deleted < size:
            return gone
        took = time.monotonic() - began
        # as long a pause as the piece was: others come to write in between
        time.sleep(max(took, LEAST_PAUSE))
        size = min(size * 2, LARGEST_PIECE) if took < PIECE_SECONDS else max(size // 2, FIRST_PIECE)


def _mine(connection: Connection) -> bool:
    """Whether this worker may delete now; held to the end of the transaction."""
    if is_sqlite(connection):
        return True
    # a scan of the table, or of all of the session's rows, would read what earlier pieces deleted again and again
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    connection.execute(text("SET LOCAL enable_bitmapscan = off"))
    query = text("SELECT pg_try_advisory_xact_lock(:lock)")
    return bool(connection.execute(query, {"lock": FREEING_LOCK}).scalar())


def _piece(connection: Connection, table: Table) -> TextClause:
    own = f"FROM {table.name} WHERE session_key = :session_key"
    if is_sqlite(connection):
        # the session is not named twice: SQLite would look through all of its rows
        return text(f"DELETE FROM {table.name} WHERE rowid IN (SELECT rowid {own} LIMIT :size)")
    return text(f"DELETE {own} AND ctid = ANY (ARRAY (SELECT ctid {own} LIMIT :size))")
