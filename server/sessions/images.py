"""A session's images. Their bytes are blobs (blobs.py)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, insert, select

from losswise.protocol.records import Record

from ..db.models import Image

FIELDS = ("sequence", "x", "image_id", "sha256", "width", "height", "outputs", "metrics")


def apply_image(connection: Connection, session_key: int, record: Record) -> None:
    table = Image.__table__
    last = select(func.max(table.c.number)).where(table.c.session_key == session_key)
    number = (connection.execute(last).scalar() or 0) + 1
    fields = {name: record.get(name) for name in FIELDS}
    fields["outputs"], fields["metrics"] = fields["outputs"] or {}, fields["metrics"] or {}
    connection.execute(insert(table).values(session_key=session_key, number=number, **fields))


def read_images(connection: Connection, session_key: int) -> list[dict[str, Any]]:
    table = Image.__table__
    query = select(table).where(table.c.session_key == session_key).order_by(table.c.x, table.c.number)
    return [{name: row[name] for name in FIELDS} for row in connection.execute(query).mappings()]
