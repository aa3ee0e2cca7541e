"""What the sessions of projects can be asked for, and which values there are: for completion, filters and columns."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Text, and_, cast, func, select, true
from sqlalchemy.sql.elements import ColumnElement

from ..db import json_entries
from ..db.models import Session
from ..query import columns
from ..query.entries import Entries
from ..query.nodes import COLUMNS, STATISTICS, Field
from .field_index import index_of

MAX_FIELDS = 5_000
MAX_VALUE_CHARS = 200
"""Longer texts are not among the values."""
VALUES_LIMIT, MAX_VALUES_LIMIT = 20, 1_000
GROUPS = ("columns", "params", "values", "statistics")
COLUMN_KINDS = {
    **dict.fromkeys(columns.TEXTS, "text"),
    **dict.fromkeys(columns.TIMES, "time"),
    "tags": "list",
    "elapsed": "duration",
    "starred": "boolean",
}
"""The other columns are numbers."""
UNLISTED = (*columns.TIMES, "elapsed", "progress", "note")
"""Columns whose values are as good as all different."""

_columns = Session.__table__.c
_Value = str | int | float | bool


def list_fields(connection: Connection, projects: Sequence[int]) -> dict[str, Any]:
    """All columns, and the params, values and statistics that some session has, the most frequent first.

    Returns:
        {"fields": [{"field": as a query has it, "group", "name", "kind", "sessions": how many have it, "sort"}],
        "more": whether there are others}; `kind` is number, text, boolean, list, time, duration, or mixed; `sort` is
        what the list of sessions can be sorted by.
    """
    sessions: Counter[Field] = Counter()
    kinds: dict[Field, set[str]] = {Field("column", name): {COLUMN_KINDS.get(name, "number")} for name in COLUMNS}
    for project in projects:
        for (group, name, kind), count in index_of(connection, project).count(connection, project).items():
            for field, its_kind in _expanded(group, name, kind):
                sessions[field] += count
                kinds.setdefault(field, set()).add(its_kind)
    order = sorted(kinds, key=lambda field: (_group(field), -sessions[field] if _group(field) else 0))
    shown = order[:MAX_FIELDS]
    return {
        "fields": [_json(field, kinds[field], sessions[field]) for field in shown],
        "more": len(order) > len(shown),
    }


def _expanded(group: str, name: str, kind: str) -> Iterator[tuple[Field, str]]:
    """The fields of an entry of the index."""
    if group == "columns":
        yield from ((Field("column", column), COLUMN_KINDS.get(column, "number")) for column in name.split())
    elif group == "statistics":
        yield from ((Field(statistic, name), "number") for statistic in kind.split())
    else:
        yield Field(group, name), kind


def _group(field: Field) -> int:
    kind = {"column": "columns"}.get(field.kind, field.kind)
    return GROUPS.index("statistics" if kind in STATISTICS else kind)


def _json(field: Field, kinds: set[str], sessions: int) -> dict[str, Any]:
    [kind] = kinds if len(kinds) == 1 else ["mixed"]
    return {
        "field": field.short,
        "group": GROUPS[_group(field)],
        "name": field.name,
        "kind": kind,
        "sessions": sessions,
        "sort": _sort(field),
    }


def _sort(field: Field) -> str | None:
    if field.kind in STATISTICS:
        return f"{field.kind}({field.name})"
    if field.kind != "column":
        return f"{field.kind}.{field.name}"
    renamed = {"created": "created_at", "updated": "updated_at", "iter": "last_x"}
    unsorted = ("reason", "tags", "ended", "dropped", "refused", "note")
    return None if field.name in unsorted else renamed.get(field.name, field.name)


def list_values(
    connection: Connection, projects: Sequence[int], field: Field, prefix: str = "", limit: int = VALUES_LIMIT
) -> dict[str, Any]:
    """The values of a field with the numbers of sessions that have them, the most frequent first.

    Args:
        prefix: what the values begin with as text, whatever the case.

    Returns:
        {"values": [{"value", "count"}], "more": whether there are others}. Empty for times, durations and lists.
    """
    within = _columns.project_id.in_(projects)
    if field.kind == "column":
        found = _values_of_column(connection, within, field.name)
    else:
        found = _values_of_entry(connection, within, field)
    begins = prefix.lower()
    counts: Counter[tuple[bool, bool, _Value]] = Counter()  # True is not 1
    for value, count in found:
        if _text(value).lower().startswith(begins):
            counts[isinstance(value, str), isinstance(value, bool), value] += count
    order = sorted(counts, key=lambda value: (-counts[value], value))
    return {
        "values": [{"value": value[-1], "count": counts[value]} for value in order[:limit]],
        "more": len(order) > limit,
    }


def _text(value: _Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values_of_column(connection: Connection, within: ColumnElement[bool], name: str) -> Iterable[tuple[_Value, int]]:
    if name in UNLISTED:
        return []
    if name == "tags":
        value = columns.each_tag(connection).c.value
        query = select(value, func.count()).select_from(Session.__table__.join(value.table, true()))
    else:
        value = columns.by_name(name, time.time())
        query = select(value, func.count())
    if name in (*columns.TEXTS, "tags"):
        within = and_(within, value != "", func.length(cast(value, Text)) <= MAX_VALUE_CHARS)
    return connection.execute(query.where(within, value.isnot(None)).group_by(value)).tuples()


def _values_of_entry(connection: Connection, within: ColumnElement[bool], field: Field) -> Iterable[tuple[_Value, int]]:
    entries = Entries(connection, field)
    rows = json_entries.subquery_of(connection, within, entries.extracted)
    texts = entries.text(rows.c)
    found = select(
        entries.number(rows.c).label("number"), texts.label("text"), entries.literal(rows.c).label("literal")
    ).where(func.coalesce(func.length(texts), 0) <= MAX_VALUE_CHARS)
    values = found.subquery("found")
    for number, text, literal, count in connection.execute(
        select(values.c.number, values.c.text, values.c.literal, func.count())
        .select_from(values)
        .group_by(values.c.number, values.c.text, values.c.literal)
    ):
        if number is not None:
            is_whole = isinstance(number, float) and number.is_integer() and abs(number) < 2**53
            yield int(number) if is_whole else number, count
        elif text is not None:
            yield text, count
        elif literal is not None:
            yield literal == "true", count
