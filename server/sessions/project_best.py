"""The best value of each project, which the list of projects shows.

A look at the statistics of 100,000 sessions takes seconds. So a background task keeps the best values in a table, and
looks at the sessions that have changed since: see maintenance.bests.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, and_, or_, select

from ..db.change_models import Removal
from ..db.engine import insert_or_update
from ..db.json_entries import STATISTIC
from ..db.models import Graph, Project, Session
from ..db.project_models import ProjectBest
from . import sorting
from .change_numbers import current_cursor
from .places import CURRENT, is_in

NEWEST = 50  # sessions in which the usual statistic is looked for
MAX_CHANGED = 500  # of a project; after more, the database looks at all of its sessions
# as isHeldOut in static/js/ui/palette.js
_HELD_OUT = re.compile(r"(^|[^a-z])(val|valid|validation|test|eval|dev|holdout)([^a-z]|$)")
_CAPITAL = re.compile(r"([a-z])([A-Z])")

_sessions = Session.__table__
_graphs = Graph.__table__
_projects = Project.__table__
_removals = Removal.__table__
_bests = ProjectBest.__table__


class Best(NamedTuple):
    """A value, and the key of the session that has it."""

    value: float
    session_key: int


def outdated_projects(connection: Connection, among: Sequence[int] | None = None) -> list[Row[Any]]:
    """The projects of which a session has changed, or the chosen statistic: `project_id`, `chosen`, and what the table
    has.

    A choice that is made between `compute` and `save` is found by the next look: the row that was saved has the one
    before.

    Args:
        among: ids of projects; None for all.
    """
    changed = [
        select(table.c.project_id)
        .where(table.c.project_id == _projects.c.id, table.c.change >= _bests.c.seen)
        .correlate(_projects, _bests)
        .exists()
        for table in (_sessions, _removals)
    ]
    query = (
        select(_projects.c.id.label("project_id"), _projects.c.best.label("chosen"), *_known)
        .outerjoin(_bests, _bests.c.project_id == _projects.c.id)
        .where(or_(_bests.c.project_id.is_(None), _projects.c.best.is_distinct_from(_bests.c.chosen), *changed))
        .order_by(_projects.c.id)
    )
    return list(connection.execute(query if among is None else query.where(_projects.c.id.in_(among))))


_known = (_bests.c.statistic, _bests.c.value, _bests.c.holder, _bests.c.seen)


def compute(connection: Connection, project: Row[Any]) -> dict[str, Any]:
    """The row of `project_bests` as it should be now, of a row of `outdated_projects`."""
    id_ = project.project_id
    seen = current_cursor(connection, [id_]).low  # before the look at the sessions: nothing is missed
    statistic = project.chosen or usual_statistic(connection, id_)
    best = None
    if statistic is not None:
        best = _updated(connection, project) if statistic == project.statistic else None
        best = best or _find(connection, id_, statistic)
    value, key = best or (None, None)
    best_row = {"statistic": statistic, "value": value, "holder": key, "seen": seen}
    return {"project_id": id_, "chosen": project.chosen, **best_row}


def save(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write what `compute` gave."""
    for row in rows:
        statement = insert_or_update(connection, _bests).values(row)
        connection.execute(statement.on_conflict_do_update(index_elements=["project_id"], set_=row))


def usual_statistic(connection: Connection, project_id: int) -> str | None:
    """The statistic that most of the newest sessions have, such as "min(val_loss)"; held-out ones come first.

    None if no graph of them says whether low or high values are good.
    """
    newest = select(_sessions.c.key, _sessions.c.stats).where(_sessions.c.project_id == project_id, is_in(CURRENT))
    newest = newest.order_by(_sessions.c.key.desc()).limit(NEWEST)
    stats = {row.key: row.stats for row in connection.execute(newest)}
    query = (
        select(_graphs.c.session_key, _graphs.c.title, _graphs.c.kind, _graphs.c.names)
        .where(_graphs.c.session_key.in_(stats), _graphs.c.kind.is_not(None))
        .order_by(_graphs.c.session_key.desc(), _graphs.c.number)
    )
    found: Counter[tuple[str, str]] = Counter()
    for graph in connection.execute(query):
        given = stats[graph.session_key] or {}
        for name in graph.names:
            long = f"{graph.title}/{name}"
            metric = long if long in given else name
            if _number(given.get(metric), graph.kind) is not None:
                found[graph.kind, metric] += 1
    if not found:
        return None
    usual = max(found.values()) / 2
    kind, metric = max(found, key=lambda each: (found[each] >= usual, is_held_out(each[1]), found[each]))
    return f"{kind}({metric})"


def is_held_out(metric: str) -> bool:
    """Whether a metric is measured on held-out data, judging by its name.

    >>> is_held_out("val_loss"), is_held_out("testAccuracy"), is_held_out("evaluated")
    (True, True, False)
    """
    return bool(_HELD_OUT.search(_CAPITAL.sub(r"\1_\2", metric).lower()))


def _updated(connection: Connection, project: Row[Any]) -> Best | None:
    """The best value after the changes since `project.seen`; None if all sessions must be looked at."""
    match = STATISTIC.fullmatch(project.statistic)
    if match is None or project.holder is None:
        return None
    field, metric = match[1], match[2]
    here = and_(_sessions.c.project_id == project.project_id, is_in(CURRENT))
    changed = or_(_sessions.c.change >= project.seen, _sessions.c.key == project.holder)
    query = select(_sessions.c.key, _sessions.c.stats).where(here, changed).limit(MAX_CHANGED + 1)
    rows = connection.execute(query).all()
    if len(rows) > MAX_CHANGED:
        return None
    values = {row.key: _number((row.stats or {}).get(metric), field) for row in rows}
    before = values.get(project.holder)
    if before is None or _is_better(project.value, before, field):
        return None  # it is gone, or has become worse: another one may be the best
    best = Best(before, project.holder)
    for key, value in values.items():
        if value is not None and _is_better(value, best.value, field):
            best = Best(value, key)
    return best


def _is_better(value: float, other: float, field: str) -> bool:
    return value < other if field == "min" else value > other


def _find(connection: Connection, project_id: int, statistic: str) -> Best | None:
    """The best value of all current sessions of a project; None if none has a finite one."""
    match = STATISTIC.fullmatch(statistic)
    assert match is not None
    here = and_(_sessions.c.project_id == project_id, is_in(CURRENT))
    sort = statistic if match[1] == "min" else f"-{statistic}"
    page = sorting.read_page(connection, here, sort, None, 1)
    if not page.keys or not page.has_values:
        return None
    stats = connection.execute(select(_sessions.c.stats).where(_sessions.c.key == page.keys[0])).scalar_one()
    value = _number(stats.get(match[2]), match[1])
    return None if value is None else Best(value, page.keys[0])


def _number(statistics: Any, field: str) -> float | None:
    value = statistics.get(field) if isinstance(statistics, dict) else None
    return float(value) if isinstance(value, (int, float)) else None  # others are not finite, and stored as texts
