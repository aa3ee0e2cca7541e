"""The sessions that a request names, and those among them that it may change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from losswise.protocol.records import is_id

from ..accounts.permissions import Access
from ..accounts.projects import readable_projects
from ..db.engine import reading
from ..db.many_rows import is_among
from ..db.models import Session
from ..exceptions import ApiError
from ..extensions import db
from ..sessions.listing import find_keys
from .schema import Selection

MAX_SESSIONS = 100_000  # that one request changes

NO_SUCH_SESSION = "there is no such session"
NOT_WRITABLE = "you may view this session, but not change it"

_table = Session.__table__


class Projects(NamedTuple):
    """The projects of who asks.

    Attributes:
        organizations: by id of each project that may be read.
        writable: the ids of those whose sessions may be changed.
    """

    organizations: dict[int, int]
    writable: frozenset[int]


class Selected(NamedTuple):
    """The sessions that a request selects.

    Attributes:
        keys: those that were found, in order.
        missing: how many of its ids name no session.
        only: the id, if the request names a single session.
    """

    keys: list[int]
    missing: int = 0
    only: str | None = None

    @property
    def total(self) -> int:
        return len(self.keys) + self.missing


class Skipped:
    """Counts sessions that are left as they are, by the reason. For a request with a single session it is an error."""

    def __init__(self, only: str | None) -> None:
        self._only = only
        self._counts = Counter[str]()

    def add(self, reason: str, sessions: int = 1, status: int | None = None, code: str = "forbidden") -> None:
        """Count sessions. Raises ApiError with the status, if there is one and the request names a single session."""
        if sessions and status is not None and self._only is not None:
            name = f"there is no session {self._only[:40]}" if reason == NO_SUCH_SESSION else reason
            raise ApiError(status, code, name)
        self._counts[reason] += sessions

    def as_json(self) -> list[dict[str, Any]]:
        return [{"reason": reason, "sessions": count} for reason, count in self._counts.items() if count]


def projects_of(access: Access) -> Projects:
    found = readable_projects(access)
    return Projects(
        {project.id: project.organization_id for project in found},
        frozenset(project.id for project in found if access.may_write(project)),
    )


def select_sessions(selection: Selection, projects: Projects, write: bool = True) -> Selected:
    """Find the sessions, in a transaction of its own that locks nothing.

    Args:
        write: whether they are to be changed. If not, those that may not be read are missing; if they are, see
            `permitted`.

    Raises:
        ApiError: the request names sessions in two ways or in none (400), too many (413), an unknown project (404), one
            whose sessions may not be changed (403), or a query that cannot be understood (400).
    """
    matching, ids = selection.matching, selection.sessions
    if (matching is None) == (ids is None):
        raise ApiError(400, "bad_request", "name either 'sessions' or what they are 'matching'")
    db.session.rollback()
    with reading() as connection:
        if matching is None:
            named = list(dict.fromkeys(ids or ()))
            _check_number(named)
            keys = _keys_of(connection, named, None if write else projects.organizations.keys())
            return Selected(sorted(keys), len(named) - len(keys), named[0] if len(named) == 1 else None)
        check_permitted(projects, matching.project_id, write)
        place = (matching.place, matching.q, matching.status, matching.utc_offset)
        found = set(find_keys(connection, [matching.project_id], *place))
        found -= set(_keys_of(connection, matching.excluded))
    _check_number(found)
    return Selected(sorted(found))


def check_permitted(projects: Projects, project_id: int, write: bool = True) -> None:
    """Raise ApiError (404 or 403) if the sessions of the project may not be changed, or not be read."""
    if project_id not in projects.organizations:
        raise ApiError(404, "unknown_project", "there is no such project")
    if write and project_id not in projects.writable:
        raise ApiError(403, "forbidden", "you may view the sessions of this project, but not change them")


def _check_number(sessions: Collection[Any]) -> None:
    if len(sessions) > MAX_SESSIONS:
        raise ApiError(413, "too_large", f"these are {len(sessions):,} sessions; one request takes {MAX_SESSIONS:,}")


def _keys_of(connection: Connection, ids: Sequence[str], projects: Collection[int] | None = None) -> list[int]:
    """The keys of sessions, only of these projects if some are given."""
    named = is_among(connection, _table.c.id, [id_ for id_ in ids if is_id(id_)])
    if projects is not None:
        named = and_(named, _table.c.project_id.in_(projects))
    return list(connection.execute(select(_table.c.key).where(named)).scalars())


def lock_sessions(connection: Connection, keys: Sequence[int], columns: Collection[str]) -> list[dict[str, Any]]:
    """The rows of the sessions that still exist, locked until the transaction ends.

    They are locked in the order of their keys, so that two requests for the same sessions do not wait for each other.
    """
    names = {"key", "id", "project_id", "version", "next_sequence", "deleted_at", *columns}
    query = select(*(column for column in _table.columns if column.name in names))
    query = query.where(is_among(connection, _table.c.key, keys)).order_by(_table.c.key).with_for_update()
    return [dict(row) for row in connection.execute(query).mappings()]


def permitted(rows: list[dict[str, Any]], expected: int, projects: Projects, skipped: Skipped) -> list[dict[str, Any]]:
    """The rows that may be changed; the others, and those that are gone, are skipped.

    Args:
        expected: how many sessions were looked for.
    """
    readable = [row for row in rows if row["project_id"] in projects.organizations]
    writable = [row for row in readable if row["project_id"] in projects.writable]
    skipped.add(NO_SUCH_SESSION, expected - len(readable), 404, "unknown_session")
    skipped.add(NOT_WRITABLE, len(readable) - len(writable), 403)
    return writable
