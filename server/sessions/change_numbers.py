"""Change numbers: the order in which changes of sessions have arrived at the server, for readers that follow them.

A transaction that changes what the session table shows gives the sessions a number in `sessions.change`. A reader keeps
a cursor, and later asks for everything that its snapshot did not contain. It never misses a commit, whichever of
several workers wrote it, and nothing is locked for that:

- SQLite has one writer at a time, so a counter gives numbers in the order of commits.
- On PostgreSQL, transactions commit in any order. The number is the transaction's id, and a cursor is a snapshot: the
  ids below `low` are finished, those from `high` on have not begun, and those in between that were still `running` are
  listed. A change is new to the reader if its transaction was not finished in that snapshot.

docs/adr/0018-change-numbers.md says why.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.sql.elements import ColumnElement

from ..db.change_models import ChangeNumbers, Removal
from ..db.engine import insert_or_update, is_sqlite
from ..db.keyset import Int64
from ..db.models import Session

MAX_RUNNING = 200  # a longer list does not fit into an address
REMEMBERED_S = 7 * 24 * 3_600.0

_state = ChangeNumbers.__table__.c
_sessions = Session.__table__
_removals = Removal.__table__
# As text, which costs nothing to compile: every batch needs them.
_count = text("UPDATE change_numbers SET last = last + 1")
_last = literal_column("(SELECT last FROM change_numbers)", BigInteger)
_of_transaction = literal_column(
    "(SELECT base FROM change_numbers) + CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)", BigInteger
)


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """What a reader has seen: changes with a number below `high`, except those in `running`, which are all >= `low`.

    Attributes:
        epoch: of the numbers; see `settle`.
        running: None if there were too many; then all changes from `low` on may come again.
        newest_key: the greatest key of a session in the reader's projects.
    """

    epoch: str
    low: Int64
    high: Int64
    running: list[Int64] | None
    newest_key: Int64


def next_change(connection: Connection) -> ColumnElement[int]:
    """The number of this transaction's changes, as an expression for its statements.

    On SQLite, use it in the transaction that called this.
    """
    if is_sqlite(connection):
        connection.execute(_count)
        return _last
    return _of_transaction


def note_removals(connection: Connection, removed: Sequence[tuple[int, str]]) -> None:
    """Within the transaction that deletes sessions or moves them to another project: tell the readers of this one.

    Args:
        removed: for each session, the project that it leaves, and its id.
    """
    if not removed:
        return
    values = {"change": next_change(connection), "removed_at": time.time()}
    statement = insert_or_update(connection, _removals).values(
        project_id=bindparam("project"), session_id=bindparam("session"), **values
    )
    statement = statement.on_conflict_do_update(index_elements=["project_id", "session_id"], set_=values)
    connection.execute(statement, [{"project": project, "session": session} for project, session in removed])


def current_cursor(connection: Connection, projects: Sequence[int]) -> Cursor:
    """The cursor of the connection's snapshot, for a reader of these projects. Use it in `db.engine.reading`."""
    newest = select(func.max(_sessions.c.key)).where(_sessions.c.project_id.in_(projects)).scalar_subquery()
    if is_sqlite(connection):
        row = connection.execute(select(_state.epoch, _state.last, newest.label("newest"))).one()
        return Cursor(row.epoch, row.last + 1, row.last + 1, [], row.newest or 0)
    snapshot = cast(func.pg_current_snapshot(), Text).label("snapshot")
    row = connection.execute(select(_state.epoch, _state.base, snapshot, newest.label("newest"))).one()
    low, high, ids = row.snapshot.split(":")
    running = [row.base + int(id_) for id_ in ids.split(",") if id_]
    return Cursor(
        row.epoch,
        row.base + int(low),
        row.base + int(high),
        running if len(running) <= MAX_RUNNING else None,
        row.newest or 0,
    )


def is_outdated(connection: Connection, since: Cursor, now: Cursor) -> bool:
    """Whether it cannot be known any more what has changed since a cursor.

    Args:
        now: the cursor of the connection's snapshot.
    """
    forgotten = connection.execute(select(_state.forgotten)).scalar_one()
    # a cursor that is ahead was given before an older state of the database was restored
    return bool(since.epoch != now.epoch or since.high > now.high or since.low <= forgotten)


def is_after(change: Column[Any], since: Cursor) -> ColumnElement[bool]:
    """SQL condition: the reader with this cursor has not seen the change with this number."""
    if since.running is None:
        return change >= since.low
    if not since.running:
        return change >= since.high
    return and_(change >= since.low, or_(change >= since.high, change.in_(since.running)))


def forget_removals(connection: Connection, now: float) -> int:
    """Delete what was noted of removals a week ago; returns of how many. Cursors from before then are outdated."""
    old = _removals.c.removed_at < now - REMEMBERED_S
    latest = connection.execute(select(func.max(_removals.c.change)).where(old)).scalar()
    if latest is None:
        return 0
    # by their numbers, so that all that is forgotten is below one number
    forgotten = connection.execute(delete(_removals).where(_removals.c.change <= latest)).rowcount
    later = _state.forgotten < latest
    connection.execute(update(ChangeNumbers.__table__).where(later).values(forgotten=latest))
    return forgotten


def settle(connection: Connection) -> None:
    """At the start of a server: see to it that numbers rise, whatever database this is a copy of.

    A dump that is restored in another PostgreSQL cluster meets transaction ids that may be lower than the numbers in
    it. Then `base`, which is added to them, is raised. In another cluster, cursors mean nothing: it begins an epoch.
    """
    if is_sqlite(connection):
        return
    state = connection.execute(select(_state.cluster, _state.base)).one()
    cluster = _cluster(connection)
    changes: dict[str, Any] = {} if state.cluster == cluster else {"cluster": cluster, "epoch": new_epoch()}
    id_ = int(connection.execute(select(cast(func.pg_current_xact_id(), Text))).scalar_one())
    if _greatest(connection) >= state.base + id_:
        # another server may be writing with the old base: wait until it has committed, and keep it from going on
        connection.execute(text("LOCK TABLE sessions, removals IN SHARE ROW EXCLUSIVE MODE"))
        changes |= {"base": _greatest(connection) + 1 - id_, "epoch": new_epoch()}
    if changes:
        connection.execute(update(ChangeNumbers.__table__).values(changes))


def new_epoch() -> str:
    return secrets.token_hex(8)


def _greatest(connection: Connection) -> int:
    return max(connection.execute(select(func.max(table.c.change))).scalar() or 0 for table in (_sessions, _removals))


def _cluster(connection: Connection) -> str:
    """What tells a PostgreSQL cluster, and its history after a point-in-time recovery, from others."""
    allowed = select(
        func.has_function_privilege("pg_control_system()", "EXECUTE"),
        func.has_function_privilege("pg_control_checkpoint()", "EXECUTE"),
    )
    if not all(connection.execute(allowed).one()):
        return "unknown"
    query = "SELECT system_identifier, timeline_id FROM pg_control_system(), pg_control_checkpoint()"
    return "/".join(map(str, connection.execute(text(query)).one()))
