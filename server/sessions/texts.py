"""Texts kept with a session: a model's summary, notes from code, console output."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from losswise.protocol.limits import MAX_TEXT
from losswise.protocol.records import Record

from ..db.models import TextEntry

CHUNK = 64 * 1024
"""Characters in one row. A text is one row or several, so that adding to a long one writes a short one anew."""

_texts = TextEntry.__table__


def apply_text(connection: Connection, session_key: int, record: Record) -> None:
    """Replace the text of this name and x, or add to it; of an overlong text the end is kept."""
    same = _rows_of(session_key, record)
    number = select(func.max(_texts.c.number)).where(same).scalar_subquery()
    where = (_texts.c.session_key == session_key) & (_texts.c.number == number)
    last = connection.execute(select(_texts.c.number, func.length(_texts.c.text)).where(where)).first()
    if last is None:
        _insert(connection, session_key, record, record["text"])
    elif record.get("append"):
        _append(connection, session_key, record, *last)
    else:
        first = connection.execute(select(func.min(_texts.c.number)).where(same)).scalar()
        connection.execute(delete(_texts).where(same))
        _insert(connection, session_key, record, record["text"], first)


def read_texts(connection: Connection, session_key: int) -> list[dict[str, Any]]:
    """All texts of a session, in the order in which their names first came."""
    query = (
        select(_texts.c.name, _texts.c.x, _texts.c.text)
        .where(_texts.c.session_key == session_key)
        .order_by(_texts.c.number)
    )
    parts: dict[tuple[str, int | None], list[str]] = {}
    for name, x, text in connection.execute(query):
        parts.setdefault((name, x), []).append(text)
    return [{"name": name, "x": x, "text": "".join(texts)[-MAX_TEXT:]} for (name, x), texts in parts.items()]


def _rows_of(session_key: int, record: Record) -> ColumnElement[bool]:
    x = _texts.c.x.is_(None) if record.get("x") is None else _texts.c.x == record["x"]
    return (_texts.c.session_key == session_key) & (_texts.c.name == record["name"]) & x


def _insert(connection: Connection, session_key: int, record: Record, text: str, first: int | None = None) -> None:
    """Add rows with this text after all others, the first of them with the number `first` where one is given."""
    last = select(func.max(_texts.c.number)).where(_texts.c.session_key == session_key)
    number = max(connection.execute(last).scalar() or 0, first or 0)
    numbers = [number + 1 + place for place in range(-(-len(text) // CHUNK) or 1)]
    if first is not None:
        numbers[0] = first
    rows = [
        {
            "session_key": session_key,
            "number": number,
            "name": record["name"],
            "x": record.get("x"),
            "text": text[place * CHUNK : (place + 1) * CHUNK],
        }
        for place, number in enumerate(numbers)
    ]
    connection.execute(insert(_texts), rows)


def _append(connection: Connection, session_key: int, record: Record, number: int, length: int) -> None:
    """Fill up the last row, whose number and length these are, and add rows for the rest."""
    fitting = record["text"][: max(0, CHUNK - length)]
    rest = record["text"][len(fitting) :]
    if fitting:
        where = (_texts.c.session_key == session_key) & (_texts.c.number == number)
        connection.execute(update(_texts).where(where).values(text=_texts.c.text + fitting))
    if rest:
        _insert(connection, session_key, record, rest)
        _drop_oldest(connection, session_key, record)


def _drop_oldest(connection: Connection, session_key: int, record: Record) -> None:
    """Delete the rows that the last MAX_TEXT characters do not need."""
    query = (
        select(_texts.c.number, func.length(_texts.c.text))
        .where(_rows_of(session_key, record))
        .order_by(_texts.c.number)
    )
    rows = [(number, length) for number, length in connection.execute(query)]
    total = sum(length for _, length in rows)
    gone: list[int] = []
    while total - rows[len(gone)][1] >= MAX_TEXT:
        number, length = rows[len(gone)]
        gone.append(number)
        total -= length
    if not gone:
        return
    own = _texts.c.session_key == session_key
    connection.execute(delete(_texts).where(own & _texts.c.number.in_(gone)))
    # the text keeps its place among the others
    oldest = _texts.c.number == rows[len(gone)][0]
    connection.execute(update(_texts).where(own & oldest).values(number=gone[0]))
