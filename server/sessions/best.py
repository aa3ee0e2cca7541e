"""The best value of a statistic over all sessions of a filter, which the table marks."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select
from sqlalchemy.sql.elements import ColumnElement

from ..db.engine import is_sqlite
from . import sorting

MAX_STATISTICS = 50
"""Each is a column of one query."""


def best_values(connection: Connection, within: ColumnElement, names: Sequence[str]) -> dict[str, float]:
    """Compute the minimum or maximum of each statistic over every session that satisfies `within`.

    Args:
        names: statistics as in `sort`, such as "min(val_loss)" or "max(acc)".

    Returns:
        The values by name; a name is left out if no session has a finite value.

    Raises:
        BadQuery: for a name that is no minimum or maximum, or for too many names.
    """
    if len(names) > MAX_STATISTICS:
        raise sorting.BadQuery(f"'best' names at most {MAX_STATISTICS} statistics")
    found = [(name, sorting.STATISTIC.fullmatch(name)) for name in names]
    for name, match in found:
        if match is None or match[1] not in ("min", "max"):
            raise sorting.BadQuery(f"'best' is a statistic such as min(train_loss) or max(acc), not {name[:60]!r}")
    if not names:
        return {}
    statistic = sorting.statistic_sqlite if is_sqlite(connection) else sorting.statistic_postgresql
    orders = [statistic(match[2], match[1]) for _, match in found if match]
    # one expression is read for each statistic
    read = sorting.once([order.read[0] for order in orders], within)
    values = [order.columns([read.c[f"read_{n}"]])[0] for n, order in enumerate(orders)]
    best = [getattr(func, name[:3])(value) for name, value in zip(names, values, strict=True)]
    row = connection.execute(select(*best).select_from(read)).one()
    return {name: value for name, value in zip(names, row, strict=True) if value is not None}
