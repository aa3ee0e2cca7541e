"""A session's images, and the image sequences of v1 clients, whose calls name a sequence, not its session.

The bytes of images are blobs (blobs.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select

from losswise.protocol.records import Record, new_id

from ..db.engine import writing
from ..db.json_depth import shallow
from ..db.models import Image, ImageSequence, Session
from ..db.session_tables import hold_session
from ..exceptions import ApiError
from ..extensions import db
from . import blobs

FIELDS = ("sequence", "x", "image_id", "sha256", "width", "height", "outputs", "metrics")


def insert_images(connection: Connection, session_key: int, images: list[Record]) -> None:
    """Add images after those that the session has."""
    if not images:
        return
    table = Image.__table__
    last = select(func.max(table.c.number)).where(table.c.session_key == session_key)
    first = (connection.execute(last).scalar() or 0) + 1
    rows = [
        {
            "session_key": session_key,
            "number": number,
            **{name: image.get(name) for name in FIELDS},
            "outputs": image.get("outputs") or {},
            "metrics": image.get("metrics") or {},
        }
        for number, image in enumerate(images, first)
    ]
    connection.execute(insert(table), rows)


def read_images(connection: Connection, session_key: int) -> list[dict[str, Any]]:
    table = Image.__table__
    query = select(table).where(table.c.session_key == session_key).order_by(table.c.x, table.c.number)
    return [
        {**{name: row[name] for name in FIELDS}, "outputs": shallow(row["outputs"]), "metrics": shallow(row["metrics"])}
        for row in connection.execute(query).mappings()
    ]


class Sequence(NamedTuple):
    """Fields that the images of a sequence share."""

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
