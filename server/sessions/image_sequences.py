"""Image sequences of v1 clients. Their later calls name a sequence, not its session."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from losswise.protocol.records import new_id

from ..db.engine import writing
from ..db.models import ImageSequence, Session
from ..db.session_tables import hold_session
from ..exceptions import ApiError
from ..extensions import db
from . import blobs


class Sequence(NamedTuple):
    """What an image sequence's images share."""

    name: str
    x: int


def store_sequence(session_key: int, sequence: Sequence) -> str:
    """Store an image sequence and return its new id."""
    id_ = new_id()
    db.session.rollback()
    with writing() as connection:
        hold_session(connection, session_key)
        values = {"id": id_, "session_key": session_key, **sequence._asdict()}
        connection.execute(ImageSequence.__table__.insert().values(**values))
    return id_


def find_sequence(id_: str) -> tuple[str, Sequence]:
    """Return (session id, sequence). Raises ApiError (404)."""
    query = (
        select(Session.id, ImageSequence.name, ImageSequence.x)
        .join(Session, Session.key == ImageSequence.session_key)
        .where(ImageSequence.id == id_)
    )
    row = db.session.execute(query).first()
    if row is None:
        raise ApiError(404, "unknown_sequence", "there is no such image sequence")
    return row[0], Sequence(row.name, row.x)


def store_image(session_key: int, sha256: str, data: bytes) -> None:
    """Store an image's bytes in a transaction of its own."""
    db.session.rollback()
    with writing() as connection:
        blobs.store(connection, session_key, sha256, data)
