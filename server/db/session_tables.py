"""The tables whose rows belong to one session, under its key."""

from __future__ import annotations

from sqlalchemy import Connection, Table, select

from ..exceptions import ApiError
from .models import (
    Blob,
    Graph,
    Image,
    ImageSequence,
    Mark,
    Refusal,
    Session,
    SessionMetadata,
    TextEntry,
    Writer,
    points,
    summaries,
)

# What a distributed PostgreSQL (Citus) shards by `session_key`, see docs/scaling.md. A statement reads or writes one of
# these tables only, and names the sessions.
DISTRIBUTED: tuple[Table, ...] = (
    points,
    summaries,
    *(model.__table__ for model in (Blob, Image, Mark, Refusal, SessionMetadata, TextEntry, Writer)),
)

# All tables with rows of one session. Graphs and image sequences are also found by their own ids, so they stay in one
# place, with the sessions.
SESSION_TABLES: tuple[Table, ...] = (*DISTRIBUTED, Graph.__table__, ImageSequence.__table__)


def hold_session(connection: Connection, session_key: int) -> None:
    """Keep the session from being deleted until the transaction ends: rows added after that would stay for ever.

    Raises ApiError (404) if it is deleted already.
    """
    table = Session.__table__
    query = select(table.c.key).where(table.c.key == session_key).with_for_update(read=True, key_share=True)
    if connection.execute(query).first() is None:
        raise ApiError(404, "unknown_session", "this session has just been deleted")
