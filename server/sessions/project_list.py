"""What the list of projects shows of each: how many sessions, what runs now, the best value, the last activity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from ..accounts.permissions import Access
from ..accounts.project_edits import starred_projects
from ..db.models import Organization, Project, Session
from ..db.project_models import ProjectBest
from .places import CURRENT, is_in
from .progress import progress

MAX_RUNNING = 3  # of a project that are named

_sessions = Session.__table__
_bests = ProjectBest.__table__


def list_projects(connection: Connection, access: Access) -> list[dict[str, Any]]:
    """The projects that may be read, those with a star of the user first, then by name. Takes five queries."""
    ids = _readable(access)
    query = select(Project.__table__, Organization.name.label("organization")).join(Organization).where(ids)
    projects = connection.execute(query).all()
    keys = [project.id for project in projects]
    counts = {row.project_id: row for row in connection.execute(_counts(keys))}
    running = _running(connection, keys)
    bests = {row.project_id: row for row in connection.execute(_best(keys))}
    starred = set() if access.user_id is None else starred_projects(connection, access.user_id)
    found = []
    for project in projects:
        count, best = counts.get(project.id), bests.get(project.id)
        found.append(
            {
                "id": project.id,
                "name": project.name,
                "organization": project.organization,
                "description": project.description,
                "starred": project.id in starred,
                "may_write": project.organization_id in access.writable,
                "sessions": count.sessions if count else 0,
                "running": count.running if count else 0,
                "newest_running": running.get(project.id, []),
                "best": _best_json(project.best, best),
                "updated_at": count.updated_at if count else None,
            }
        )
    return sorted(found, key=lambda each: (not each["starred"], each["name"].lower(), each["name"]))


def _readable(access: Access) -> Any:
    within = Project.organization_id.in_(access.readable)
    return within if access.only_project is None else and_(within, Project.id == access.only_project)


def _counts(projects: Sequence[int]) -> Any:
    """Counts of the current sessions. An index has all columns of it: no row of a session is read."""
    return (
        select(
            _sessions.c.project_id,
            func.count().label("sessions"),
            func.sum(case((_sessions.c.status == "active", 1), else_=0)).label("running"),
            func.max(_sessions.c.updated_at).label("updated_at"),
        )
        .where(_sessions.c.project_id.in_(projects), is_in(CURRENT))
        .group_by(_sessions.c.project_id)
    )


def _running(connection: Connection, projects: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """The newest active sessions of each project, the newest first."""
    place = func.row_number().over(partition_by=_sessions.c.project_id, order_by=_sessions.c.key.desc())
    active = and_(_sessions.c.project_id.in_(projects), is_in(CURRENT), _sessions.c.status == "active")
    ranked = select(_sessions.c.key, place.label("place")).where(active).subquery("ranked")
    columns = [_sessions.c[name] for name in ("project_id", "id", "tag", "last_x", "max_iter", "key")]
    query = select(*columns).join(ranked, ranked.c.key == _sessions.c.key).where(ranked.c.place <= MAX_RUNNING)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(query.order_by(_sessions.c.key.desc())):
        done = progress("active", row.last_x, row.max_iter)
        found.setdefault(row.project_id, []).append({"id": row.id, "tag": row.tag, "progress": done})
    return found


def _best(projects: Sequence[int]) -> Any:
    # a session that has just left the project, or the current ones, is not shown; the next look finds another one
    here = and_(_sessions.c.key == _bests.c.holder, _sessions.c.project_id == _bests.c.project_id, is_in(CURRENT))
    columns = (_bests.c.project_id, _bests.c.statistic, _bests.c.value, _sessions.c.id, _sessions.c.tag)
    return select(*columns).outerjoin(_sessions, here).where(_bests.c.project_id.in_(projects))


def _best_json(chosen: str | None, best: Any) -> dict[str, Any] | None:
    """None if the project has no statistic; without a session if none has a finite value."""
    statistic = chosen or (best.statistic if best else None)
    if statistic is None:
        return None
    session = None
    if best is not None and best.id is not None and best.statistic == statistic:
        session = {"id": best.id, "tag": best.tag}
    return {
        "statistic": statistic,
        "chosen": chosen is not None,
        "value": best.value if session else None,
        "session": session,
    }
