"""Texts kept with a session: a model's summary, notes from code, console output."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from losswise.records import MAX_TEXT, Record

from .models import TextEntry


def apply_text(connection: Connection, session_key: int, record: Record) -> None:
    """Replace the text of this name and x, or add to it; of an overlong text the end is kept."""
    table = TextEntry.__table__
    same = (table.c.session_key == session_key) & (table.c.name == record["name"])
    same &= table.c.x.is_(None) if record.get("x") is None else table.c.x == record["x"]
    known = connection.execute(select(table.c.number, table.c.text).where(same)).first()
    if known is None:
        last = select(func.max(table.c.number)).where(table.c.session_key == session_key)
        number = (connection.execute(last).scalar() or 0) + 1
        connection.execute(
            insert(table).values(
                session_key=session_key,
                number=number,
                name=record["name"],
                x=record.get("x"),
                text=record["text"],
            )
        )
        return
    text = (known.text + record["text"])[-MAX_TEXT:] if record.get("append") else record["text"]
    where = (table.c.session_key == session_key) & (table.c.number == known.number)
    connection.execute(update(table).where(where).values(text=text))


def read_texts(connection: Connection, session_key: int) -> list[dict[str, Any]]:
    table = TextEntry.__table__
    query = (
        select(table.c.name, table.c.x, table.c.text).where(table.c.session_key == session_key).order_by(table.c.number)
    )
    return [dict(row) for row in connection.execute(query).mappings()]
