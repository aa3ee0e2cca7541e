"""The entries of a session's JSON that a field names, as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, func, or_
from sqlalchemy.sql.elements import ColumnElement

from ..db import json_entries
from ..db.json_entries import Entry
from ..db.models import Session
from .nodes import Field

_columns = Session.__table__.c


class Entries:
    """What a param, a value or a statistic is stored as. A name with dots may also be one in objects in objects.

    Attributes:
        extracted: labelled expressions on the sessions table, for json_entries.subquery_of. The methods are given that
            subquery's columns.
    """

    def __init__(self, connection: Connection, field: Field, label: str = "value") -> None:
        self.all = _entries(connection, field, label)
        self.extracted = [column for entry in self.all for column in entry.extracted]

    def number(self, columns: Any) -> ColumnElement[Any]:
        return self._first(lambda entry: entry.number(columns))

    def text(self, columns: Any) -> ColumnElement[Any]:
        return self._first(lambda entry: entry.text(columns))

    def literal(self, columns: Any) -> ColumnElement[Any]:
        """ "true" or "false"."""
        return self._first(lambda entry: entry.literal(columns))

    def list(self, columns: Any) -> ColumnElement[Any]:
        """A list as its JSON text."""
        return self._first(lambda entry: entry.list(columns))

    def exists(self, columns: Any) -> ColumnElement[bool]:
        return or_(*(entry.exists(columns) for entry in self.all))

    def _first(self, read: Callable[[Entry], ColumnElement[Any]]) -> ColumnElement[Any]:
        """What the first of the entries holds that has a value of this type."""
        found = [read(entry) for entry in self.all]
        return func.coalesce(*found) if len(found) > 1 else found[0]


def _entries(connection: Connection, field: Field, label: str) -> list[Entry]:
    if field.kind not in ("params", "values"):
        return [json_entries.statistic(connection, field.name, field.kind, label)]
    column = _columns[field.kind]
    found = [json_entries.entry(connection, column, field.name, label=label)]
    if "." in field.name.strip("."):
        nested = json_entries.nested_entry(connection, column, field.name.split("."), f"{label}_nested")
        found += [nested] if nested is not None else []
    return found
