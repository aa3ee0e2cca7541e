"""A session's texts: model summaries, notes from code, console output.

A text is stored in rows of 64 KiB, so that appending to a long one rewrites a short row. `number` orders a session's
rows, and by them its texts.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from losswise.protocol.limits import MAX_TEXT_LENGTH
from losswise.protocol.records import Record

from ..db.models import TextEntry

MAX_ROW_CHARS = 64 * 1024

_texts = TextEntry.__table__


def apply_text(connection: Connection, session_key: int, record: Record) -> None:
    """Replace the text with this name and x, or append to it. Of more than MAX_TEXT_LENGTH, the end is kept."""
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
    """All texts of a session, in order of their first arrival."""
    query = (
        select(_texts.c.name, _texts.c.x, _texts.c.text)
        .where(_texts.c.session_key == session_key)
        .order_by(_texts.c.number)
    )
    parts: dict[tuple[str, int | None], list[str]] = {}
    for name, x, text in connection.execute(query):
        parts.setdefault((name, x), []).append(text)
    return [{"name": name, "x": x, "text": "".join(texts)[-MAX_TEXT_LENGTH:]} for (name, x), texts in parts.items()]


def _rows_of(session_key: int, record: Record) -> ColumnElement[bool]:
    x = _texts.c.x.is_(None) if record.get("x") is None else _texts.c.x == record["x"]
    return (_texts.c.session_key == session_key) & (_texts.c.name == record["name"]) & x


def _insert(connection: Connection, session_key: int, record: Record, text: str, first: int | None = None) -> None:
    """Insert this text after all other rows; if `first` is given, its first row gets that number instead."""
    last = select(func.max(_texts.c.number)).where(_texts.c.session_key == session_key)
    number = max(connection.execute(last).scalar() or 0, first or 0)
    numbers = [number + 1 + index for index in range(-(-len(text) // MAX_ROW_CHARS) or 1)]
    if first is not None:
        numbers[0] = first
    rows = [
        {
            "session_key": session_key,
            "number": number,
            "name": record["name"],
            "x": record.get("x"),
            "text": text[index * MAX_ROW_CHARS : (index + 1) * MAX_ROW_CHARS],
        }
        for index, number in enumerate(numbers)
    ]
    connection.execute(insert(_texts), rows)


def _append(connection: Connection, session_key: int, record: Record, number: int, length: int) -> None:
    """Fill the last row, which has this number and length, and insert the rest in new rows."""
    fitting = record["text"][: max(0, MAX_ROW_CHARS - length)]
    rest = record["text"][len(fitting) :]
    if fitting:
        where = (_texts.c.session_key == session_key) & (_texts.c.number == number)
        connection.execute(update(_texts).where(where).values(text=_texts.c.text + fitting))
    if rest:
        _insert(connection, session_key, record, rest)
        _drop_oldest(connection, session_key, record)


def _drop_oldest(connection: Connection, session_key: int, record: Record) -> None:
    """Delete the leading rows that the last MAX_TEXT_LENGTH characters do not touch."""
    query = (
        select(_texts.c.number, func.length(_texts.c.text))
        .where(_rows_of(session_key, record))
        .order_by(_texts.c.number)
    )
    rows = [(number, length) for number, length in connection.execute(query)]
    total = sum(length for _, length in rows)
    gone: list[int] = []
    while total - rows[len(gone)][1] >= MAX_TEXT_LENGTH:
        number, length = rows[len(gone)]
        gone.append(number)
        total -= length
    if not gone:
        return
    own = _texts.c.session_key == session_key
    connection.execute(delete(_texts).where(own & _texts.c.number.in_(gone)))
    # the text keeps its position among the others
    oldest = _texts.c.number == rows[len(gone)][0]
    connection.execute(update(_texts).where(own & oldest).values(number=gone[0]))
