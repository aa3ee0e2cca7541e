"""Bytes of images, by their hash."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ..db.engine import insert_or_update
from ..db.models import Blob
from ..db.session_tables import hold_session

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


def store(connection: Connection, session_key: int, sha256: str, data: bytes) -> None:
    """Keep the bytes; the same bytes twice are kept once. Raises ApiError where the session is deleted."""
    hold_session(connection, session_key)
    values = {"session_key": session_key, "sha256": sha256, "data": data}
    connection.execute(insert_or_update(connection, Blob.__table__).values(**values).on_conflict_do_nothing())


def read(connection: Connection, session_key: int, sha256: str) -> bytes | None:
    table = Blob.__table__
    where = (table.c.session_key == session_key) & (table.c.sha256 == sha256)
    data = connection.execute(select(table.c.data).where(where)).scalar()
    return None if data is None else bytes(data)


def image_type(data: bytes) -> str:
    """The media type that the first bytes tell; plain bytes where they tell none."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((name for start, name in _SIGNATURES if data.startswith(start)), "application/octet-stream")
