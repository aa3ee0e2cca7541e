"""The tables whose rows belong to one session, under its key."""

from __future__ import annotations

from sqlalchemy import Connection, Table, select

from ..exceptions import Refused
from .models import Blob, Graph, Image, ImageSequence, Session, SessionMetadata, TextEntry, Writer, points, summaries

DISTRIBUTED: tuple[Table, ...] = (
    points,
    summaries,
    *(model.__table__ for model in (Blob, Image, SessionMetadata, TextEntry, Writer)),
)
"""What a distributed PostgreSQL (Citus) shards by `session_key`: docs/scaling.md. A statement touches one of them, and
names the sessions."""

PARTS: tuple[Table, ...] = (*DISTRIBUTED, Graph.__table__, ImageSequence.__table__)
"""All that goes with a session. Graphs and image sequences are also found by their own ids, so they stay together with
the sessions."""


def hold_session(connection: Connection, session_key: int) -> None:
    """Keep the session from being deleted until the transaction ends; what is added after a deletion would stay for
    ever. Raises Refused with 404 where it is deleted already."""
    table = Session.__table__
    query = select(table.c.key).where(table.c.key == session_key).with_for_update(read=True, key_share=True)
    if connection.execute(query).first() is None:
        raise Refused(404, "unknown_session", "this session has just been deleted")
