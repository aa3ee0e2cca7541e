"""Load and save the writers of a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ..db.engine import insert_or_update
from ..db.models import Writer
from ..sessions.status import WriterState

_writers = Writer.__table__
# in one order, since conditions on points are made from them and compared
_OF_SESSION = select(_writers).where(_writers.c.session_key == bindparam("session_key")).order_by(_writers.c.id)
_FIELDS = (
    "last_seq",
    "started_at",
    "last_seen_at",
    "ended_at",
    "status",
    "reason",
    "number",
    "first_sequence",
    "trains",
)
MAX_NUMBER = 2**15 - 1  # what a row of the table of points has room for


def load_writers(connection: Connection, session_key: int) -> dict[str, WriterState]:
    """The session's writers by id."""
    rows = connection.execute(_OF_SESSION, {"session_key": session_key})
    return {row.id: WriterState(id=row.id, **{name: getattr(row, name) for name in _FIELDS}) for row in rows}


def number_writer(writer: WriterState, writers: Iterable[WriterState]) -> None:
    """Give a writer a number within its session, if it has none. If all numbers are taken, it goes without."""
    if not writer.number:
        highest = max(known.number for known in writers)
        writer.number = highest + 1 if highest < MAX_NUMBER else 0


def save_writer(connection: Connection, session_key: int, writer: WriterState) -> None:
    """Insert the writer, or update it if the session has it already."""
    values = {name: getattr(writer, name) for name in _FIELDS}
    connection.execute(_save_statement(connection), {"session_key": session_key, "id": writer.id, **values})


_save_statements: dict[str, Any] = {}


def _save_statement(connection: Connection) -> Any:
    """The statement, built once for each dialect: every batch executes it."""
    name = connection.dialect.name
    if name not in _save_statements:
        statement = insert_or_update(connection, _writers)
        _save_statements[name] = statement.on_conflict_do_update(
            index_elements=["session_key", "id"], set_={field: statement.excluded[field] for field in _FIELDS}
        )
    return _save_statements[name]
