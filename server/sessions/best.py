"""The best value of a statistic over all sessions of a filter, which the table marks."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from ..db import json_entries
from ..db.json_entries import STATISTIC
from ..exceptions import ApiError

MAX_STATISTICS = 50  # each is a column of one query


def best_values(connection: Connection, within: ColumnElement[bool], names: Sequence[str]) -> dict[str, float]:
    """Compute the minimum or maximum of each statistic over every session that matches `within`.

    Args:
        names: statistics as in `sort`, such as "min(val_loss)" or "max(acc)".

    Returns:
        The values by name; a name is left out if no session has a finite value.

    Raises:
        ApiError: with 400, for a name that is no minimum or maximum, or for too many names.
    """
    if len(names) > MAX_STATISTICS:
        raise ApiError(400, "bad_request", f"'best' names at most {MAX_STATISTICS} statistics")
    if not names:
        return {}
    entries = []
    for index, name in enumerate(names):
        match = STATISTIC.fullmatch(name)
        if match is None or match[1] not in ("min", "max"):
            message = f"'best' is a statistic such as min(train_loss) or max(acc), not {name[:60]!r}"
            raise ApiError(400, "bad_request", message)
        entries.append(json_entries.statistic(connection, match[2], match[1], label=f"value_{index}"))
    rows = json_entries.extracted_rows(connection, within, entries)
    best = [getattr(func, name[:3])(entry.number(rows.c)) for name, entry in zip(names, entries, strict=True)]
    values = connection.execute(select(*best).select_from(rows)).one()
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}
