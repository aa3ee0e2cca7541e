"""The sessions of a group, which a query selects, and the graphs that they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, exists, func, select
from sqlalchemy.sql.elements import ColumnElement

from ..db.models import Graph, Session
from .listing import matching_query
from .places import is_in

MAX_MEMBERS = 500
MAX_TITLES = 1_000

_sessions = Session.__table__.c
_graphs = Graph.__table__.c


class Members(NamedTuple):
    """The sessions of a group.

    Attributes:
        total: how many there are.
        rows: the newest MAX_MEMBERS of them: key, id, status, version, max_iter, last_x, points,
            summary_states.
    """

    total: int
    rows: Sequence[Any]


def find_members(
    connection: Connection, projects: Sequence[int], *, q: str, place: str, offset: float, title: str | None = None
) -> Members:
    """The sessions of a group, the newest first.

    Args:
        projects: their ids.
        q: the query that selects the group, see docs/queries.md; empty for all sessions.
        place: where the sessions are, one of places.PLACES.
        offset: seconds that the clock of who asks is ahead of UTC, for dates in the query.
        title: only sessions that have a graph with this title.

    Raises:
        ApiError: with 400, for a place that does not exist or a query that cannot be understood.
    """
    within = and_(_sessions.project_id.in_(projects), is_in(place))
    within = matching_query(connection, within, q, offset)
    if title is not None:
        within = and_(within, exists().where(_graphs.session_key == _sessions.key, _graphs.title == title))
    return Members(_count(connection, within), _newest(connection, within))


def _count(connection: Connection, within: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).select_from(Session.__table__).where(within)).scalar_one())


_READ = ("key", "id", "status", "version", "max_iter", "last_x", "points", "summary_states")


def _newest(connection: Connection, within: ColumnElement[bool]) -> Sequence[Any]:
    columns = [_sessions[name] for name in _READ]
    return connection.execute(select(*columns).where(within).order_by(_sessions.key.desc()).limit(MAX_MEMBERS)).all()


def numbers_of(connection: Connection, keys: Sequence[int], title: str) -> dict[int, list[int]]:
    """The numbers of the graphs with this title, by session key."""
    query = select(_graphs.session_key, _graphs.number).where(_graphs.session_key.in_(keys), _graphs.title == title)
    numbers: dict[int, list[int]] = {}
    for key, number in connection.execute(query.order_by(_graphs.session_key, _graphs.number)):
        numbers.setdefault(key, []).append(number)
    return numbers


def titles_of(connection: Connection, keys: Sequence[int]) -> list[dict[str, Any]]:
    """The graphs of some sessions by title, in the order in which sessions have them: at most MAX_TITLES."""
    described = [func.max(_graphs[name]).label(name) for name in ("kind", "xlabel", "ylabel")]
    query = select(_graphs.title, *described).where(_graphs.session_key.in_(keys)).group_by(_graphs.title)
    query = query.order_by(func.min(_graphs.number), _graphs.title).limit(MAX_TITLES)
    return [dict(row) for row in connection.execute(query).mappings()]
