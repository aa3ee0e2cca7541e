"""The entries of a session's JSON that a field names, as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Float, and_, case, cast, func, literal, null, or_
from sqlalchemy.sql.elements import ColumnElement

from ..db import json_entries
from ..db.engine import is_sqlite
from ..db.json_entries import Entry
from ..db.models import Session
from ..db.sqlite_functions import MAX_NUMBER_CHARS, NUMBER
from .nodes import Field

_columns = Session.__table__.c


class Entries:
    """What a param, a value or a statistic is stored as. A name with dots may also be one in objects in objects: that
    counts where there is none with the whole name.

    Attributes:
        extracted: labelled expressions on the sessions table, for json_entries.subquery_of. The methods are given that
            subquery's columns.
    """

    def __init__(self, connection: Connection, field: Field, label: str = "value") -> None:
        self.all = _entries(connection, field, label)
        self.extracted = [column for entry in self.all for column in entry.extracted]

    def number(self, columns: Any) -> ColumnElement[Any]:
        return self._first(columns, lambda entry: entry.number(columns))

    def text(self, columns: Any) -> ColumnElement[Any]:
        return self._first(columns, lambda entry: entry.text(columns))

    def literal(self, columns: Any) -> ColumnElement[Any]:
        """ "true" or "false"."""
        return self._first(columns, lambda entry: entry.literal(columns))

    def list(self, columns: Any) -> ColumnElement[Any]:
        """A list as its JSON text."""
        return self._first(columns, lambda entry: entry.list(columns))

    def json(self, columns: Any) -> ColumnElement[Any]:
        """A list or an object as its JSON text."""
        return self._first(columns, lambda entry: entry.json(columns))

    def exists(self, columns: Any) -> ColumnElement[bool]:
        return or_(*(entry.exists(columns) for entry in self.all))

    def _first(self, columns: Any, read: Callable[[Entry], ColumnElement[Any]]) -> ColumnElement[Any]:
        """What the first of the entries that exist holds, if it is of this type."""
        found = read(self.all[-1])
        for entry in reversed(self.all[:-1]):
            found = case((entry.exists(columns), read(entry)), else_=found)
        return found


def number_of_text(connection: Connection, text: Any) -> Any:
    """The number that a text is, or NULL: scripts record some of their numbers as text."""
    if is_sqlite(connection):
        return func.losswise_number(text)
    is_number = and_(func.length(text) <= MAX_NUMBER_CHARS, text.bool_op("~")(literal(f"^(?:{NUMBER})$")))
    return case((is_number, cast(text, Float(53))), else_=null())


def _entries(connection: Connection, field: Field, label: str) -> list[Entry]:
    if field.kind not in ("params", "values"):
        return [json_entries.statistic(connection, field.name, field.kind, label)]
    column = _columns[field.kind]
    found = [json_entries.entry(connection, column, field.name, label=label)]
    if "." in field.name.strip("."):
        nested = json_entries.nested_entry(connection, column, field.name.split("."), f"{label}_nested")
        found += [nested] if nested is not None else []
    return found
