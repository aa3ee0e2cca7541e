"""A session's texts: model summaries, notes from code, console output.

A text is stored in rows of 64 KiB, so that appending to a long one rewrites a short row. `number` orders a session's
rows, and by them its texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Executable, bindparam, delete, func, insert, select, update

from losswise.protocol.limits import MAX_TEXT_LENGTH

from ..db.models import TextEntry

MAX_ROW_CHARS = 64 * 1024
MAX_BOUND_VALUES = 500  # in one statement

_texts = TextEntry.__table__
_own = _texts.c.session_key == bindparam("key")


class TextKey(NamedTuple):
    """The name and x under which a text is stored."""

    name: str
    x: int | None


@dataclass
class _Change:
    """What the records of a batch make of one text: they replace it, or add to it."""

    replaces: bool
    parts: list[str]


class TextChanges:
    """The texts that a batch changes, gathered in memory and written together.

    The result is that of records that are applied one by one: the last that replaces a text wins, and what is appended
    is joined. Of more than MAX_TEXT_LENGTH, the end is kept.
    """

    def __init__(self) -> None:
        self._changes: dict[TextKey, _Change] = {}

    def add(self, name: str, x: int | None, text: str, append: bool) -> None:
        """Replace the text with this name and x, or append to it."""
        known = self._changes.get(TextKey(name, x))
        if known is None:
            self._changes[TextKey(name, x)] = _Change(not append, [text])
        elif append:
            known.parts.append(text)
        else:
            known.replaces, known.parts = True, [text]

    def write(self, connection: Connection, session_key: int) -> None:
        """Write the texts. The number of statements depends on the number of texts, not of records."""
        if self._changes:
            _Writer(connection, session_key).write(self._changes)
            self._changes = {}


class _Writer:
    def __init__(self, connection: Connection, session_key: int) -> None:
        self._connection = connection
        self._session_key = session_key
        self._last_number: int | None = None  # of all rows of the session
        self._inserted: list[dict[str, Any]] = []
        self._extended: list[dict[str, Any]] = []  # bound to _EXTEND
        self._renumbered: list[dict[str, Any]] = []  # bound to _RENUMBER
        self._deleted: list[int] = []

    def write(self, changes: dict[TextKey, _Change]) -> None:
        stored = self._stored_numbers(list(changes))
        appended = {key for key, change in changes.items() if key in stored and not change.replaces}
        last_lengths = self._lengths([stored[key][-1] for key in appended])
        texts = {key: "".join(change.parts)[-MAX_TEXT_LENGTH:] for key, change in changes.items()}
        # whose last row has no room for all of it
        longer = {key for key in appended if last_lengths[stored[key][-1]] + len(texts[key]) > MAX_ROW_CHARS}
        lengths = self._lengths([number for key in longer for number in stored[key]])
        for key, text in texts.items():
            numbers = stored.get(key, [])
            if key in longer:
                self._extend_long(key, {number: lengths[number] for number in numbers}, text)
            elif key in appended:
                self._extend(numbers[-1], text)
            else:
                self._deleted += numbers
                self._insert(key, text, numbers[0] if numbers else None)
        self._execute()

    def _insert(self, key: TextKey, text: str, first: int | None = None) -> None:
        """Insert the text after all other rows; if `first` is given, its first row gets that number instead."""
        for start in range(0, len(text) or 1, MAX_ROW_CHARS):
            number = self._new_number() if first is None or start else first
            part = text[start : start + MAX_ROW_CHARS]
            self._inserted.append({"session_key": self._session_key, "number": number, **key._asdict(), "text": part})

    def _new_number(self) -> int:
        if self._last_number is None:
            last = select(func.max(_texts.c.number)).where(_own)
            self._last_number = self._connection.execute(last, {"key": self._session_key}).scalar() or 0
        self._last_number += 1
        return self._last_number

    def _extend(self, number: int, text: str) -> None:
        if text:
            self._extended.append({"key": self._session_key, "row": number, "more": text})

    def _extend_long(self, key: TextKey, lengths: dict[int, int], text: str) -> None:
        """Fill the last row and insert the rest, and delete the leading rows that the end of the text does not touch.

        Args:
            lengths: of the text's rows, by number and in their order.
        """
        numbers = list(lengths)
        total = sum(lengths.values()) + len(text)
        gone = 0
        while gone < len(numbers) and total - lengths[numbers[gone]] >= MAX_TEXT_LENGTH:
            total -= lengths[numbers[gone]]
            gone += 1
        self._deleted += numbers[:gone]
        if gone == len(numbers):
            self._insert(key, text, numbers[0])
            return
        fitting = text[: max(0, MAX_ROW_CHARS - lengths[numbers[-1]])]
        self._extend(numbers[-1], fitting)
        self._insert(key, text[len(fitting) :])
        if gone:  # the text keeps its position among the others
            self._renumbered.append({"key": self._session_key, "row": numbers[gone], "new": numbers[0]})

    def _execute(self) -> None:
        for some in _chunks(self._deleted):
            own_rows = delete(_texts).where(_own, _texts.c.number.in_(some))
            self._connection.execute(own_rows, {"key": self._session_key})
        for statement, rows in ((_EXTEND, self._extended), (_RENUMBER, self._renumbered), (_INSERT, self._inserted)):
            if rows:
                self._connection.execute(statement, rows)

    def _stored_numbers(self, keys: list[TextKey]) -> dict[TextKey, list[int]]:
        """The numbers of the rows of each of these texts that is stored, in their order."""
        wanted = set(keys)
        found: dict[TextKey, list[int]] = {}
        steps = [key.x for key in keys if key.x is not None]
        x = _texts.c.x
        within = x.between(min(steps), max(steps)) if steps else x.is_(None)
        if steps and len(steps) < len(keys):
            within |= x.is_(None)
        for names in _chunks(list(dict.fromkeys(key.name for key in keys))):
            columns = select(_texts.c.name, x, _texts.c.number)
            query = columns.where(_own, _texts.c.name.in_(names), within).order_by(_texts.c.number)
            for name, step, number in self._connection.execute(query, {"key": self._session_key}):
                if (key := TextKey(name, step)) in wanted:
                    found.setdefault(key, []).append(number)
        return found

    def _lengths(self, numbers: list[int]) -> dict[int, int]:
        """The lengths of these rows, by number."""
        lengths: dict[int, int] = {}
        for some in _chunks(numbers):
            query = select(_texts.c.number, func.length(_texts.c.text)).where(_own, _texts.c.number.in_(some))
            lengths.update(self._connection.execute(query, {"key": self._session_key}).all())
        return lengths


_INSERT: Executable = insert(_texts)
_ROW = _texts.c.number == bindparam("row")
_EXTEND: Executable = update(_texts).where(_own, _ROW).values(text=_texts.c.text + bindparam("more"))
_RENUMBER: Executable = update(_texts).where(_own, _ROW).values(number=bindparam("new"))


def _chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), MAX_BOUND_VALUES):
        yield values[start : start + MAX_BOUND_VALUES]


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
