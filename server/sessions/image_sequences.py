"""Image sequences of v1 clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import select

from losswise.protocol import records as format_

from ..db.engine import writing
from ..db.models import ImageSequence, Session
from ..db.session_tables import hold_session
from ..exceptions import Refused
from ..extensions import db
from . import blobs


class Sequence(NamedTuple):
    name: str
    x: int


def store_sequence(session_key: int, body: Mapping[str, Any]) -> str:
    """Keep an image sequence; returns its id."""
    x = body.get("x")
    if isinstance(x, float) and x.is_integer():
        x = int(x)
    if type(x) is not int:
        raise Refused(422, "bad_record", "'x' must be a whole number")
    id_ = format_.new_id()
    name = "" if body.get("name") is None else str(body["name"])
    db.session.rollback()
    with writing() as connection:
        hold_session(connection, session_key)
        connection.execute(ImageSequence.__table__.insert().values(id=id_, session_key=session_key, name=name, x=x))
    return id_


def find_sequence(id_: str) -> tuple[str, Sequence]:
    """(session id, sequence). Raises Refused with 404."""
    query = (
        select(Session.id, ImageSequence.name, ImageSequence.x)
        .join(Session, Session.key == ImageSequence.session_key)
        .where(ImageSequence.id == id_)
    )
    row = db.session.execute(query).first()
    if row is None:
        raise Refused(404, "unknown_sequence", "there is no such image sequence")
    return row[0], Sequence(row.name, row.x)


def store_image(session_key: int, sha256: str, data: bytes) -> None:
    db.session.rollback()
    with writing() as connection:
        blobs.store(connection, session_key, sha256, data)
