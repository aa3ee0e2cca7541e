"""Keep the best value of each project up to date: see sessions.project_best."""

from __future__ import annotations

from ..db.engine import BEST_LOCK, is_sqlite, reading, try_advisory_lock, writing
from ..extensions import db
from ..sessions.project_best import compute, outdated_projects, save
from .periodic import PeriodicTask

INTERVAL_S = 2.0
CHUNK_PROJECTS = 20  # of one transaction


def refresh_bests() -> int:
    """Look at what has changed since the last call; returns in how many projects. 0 if another worker is doing it."""
    with reading() as connection:
        outdated = [row.project_id for row in outdated_projects(connection)]
    return sum(_refresh(outdated[at : at + CHUNK_PROJECTS]) for at in range(0, len(outdated), CHUNK_PROJECTS))


def _refresh(projects: list[int]) -> int:
    if is_sqlite(db.engine):  # nobody can write while it looks
        with reading() as connection:
            rows = [compute(connection, row) for row in outdated_projects(connection, projects)]
        with writing() as connection:
            save(connection, rows)
        return len(rows)
    with writing() as connection:
        if not try_advisory_lock(connection, BEST_LOCK):
            return 0
        rows = [compute(connection, row) for row in outdated_projects(connection, projects)]
        save(connection, rows)
        return len(rows)


best_task = PeriodicTask("losswise-bests", INTERVAL_S, refresh_bests, "best values could not be updated")
