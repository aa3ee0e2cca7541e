"""Statements about thousands of rows that are named one by one, without thousands of parameters or round trips."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, bindparam, cast, column, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.elements import ColumnElement

from .engine import is_sqlite

CHUNK_ROWS = 1_000


def is_among(connection: Connection, named: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """SQL condition: the column is one of these numbers or texts, which may be a hundred thousand."""
    if is_sqlite(connection):
        return named.in_(select(func.json_each(json.dumps(list(values))).table_valued("value").c.value))
    return named == func.any(cast(list(values), ARRAY(named.type)))


def update_rows(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], same: Mapping[str, ColumnElement[Any]]
) -> None:
    """Update rows, each with values of its own.

    Args:
        rows: the columns to set, by name, and `key`. The columns may differ from row to row.
        same: expressions for columns that are set in all rows.
    """
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[tuple(sorted(row.keys() - {"key"}))].append(row)
    for names, group in groups.items():
        for start in range(0, len(group), CHUNK_ROWS):
            _update(connection, table, names, group[start : start + CHUNK_ROWS], same)


def _update(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: list[dict[str, Any]],
    same: Mapping[str, ColumnElement[Any]],
) -> None:
    if is_sqlite(connection):
        new = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
        statement = update(table).where(table.c.key == bindparam("row_key")).values({**new, **same})
        parameters = [{"row_key": row["key"], **{f"new_{name}": row[name] for name in names}} for row in rows]
        connection.execute(statement, parameters)
        return
    columns = [column(name, table.c[name].type) for name in ("key", *names)]
    # one statement: a round trip for each row would take seconds
    given = func.jsonb_to_recordset(cast(rows, JSONB)).table_valued(*columns).render_derived("given", with_types=True)
    statement = update(table).where(table.c.key == given.c.key)
    connection.execute(statement.values({**{name: given.c[name] for name in names}, **same}))
