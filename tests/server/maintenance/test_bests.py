"""The best value of each project is found once, and then follows what changes."""

from __future__ import annotations

import pytest
from flask import Flask
from losswise_server.accounts.permissions import Access
from losswise_server.accounts.project_edits import change_project
from losswise_server.db.engine import BEST_LOCK, is_sqlite, reading, writing
from losswise_server.db.models import Graph, Session
from losswise_server.db.project_models import ProjectBest
from losswise_server.extensions import db
from losswise_server.maintenance.bests import refresh_bests
from losswise_server.sessions import project_best
from losswise_server.sessions.project_best import compute, outdated_projects, save
from losswise_server.sessions.project_list import list_projects
from sqlalchemy import select, text, update

from losswise.protocol import records
from tests.support.application import DirectWriting, counted_statements


def run_with(value: float, at: int = 0, run: DirectWriting | None = None, **more: float) -> DirectWriting:
    run = run or DirectWriting()
    graph = records.graph_id(run.session, "loss")
    run.send(
        records.graph_record(graph, "loss", kind="min"),
        records.points_record(graph, [at], [float(at)], {"val_loss": [value], **{k: [v] for k, v in more.items()}}),
    )
    return run


def best(run: DirectWriting) -> tuple[float | None, bool]:
    """The best value of the run's project, and whether this run has it."""
    with reading() as connection:
        table = Session.__table__.c
        row = connection.execute(select(table.key, table.project_id).where(table.id == run.session)).one()
        found = connection.execute(
            select(ProjectBest.value, ProjectBest.holder).where(ProjectBest.project_id == row.project_id)
        ).one()
    return found.value, found.holder == row.key


def test_only_what_has_changed_is_looked_at(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [run_with(value) for value in (5.0, 4.0, 6.0)]
    assert refresh_bests() >= 1
    assert best(runs[1]) == (4.0, True)
    if is_sqlite(db.engine):  # on PostgreSQL another transaction may still be going on
        assert refresh_bests() == 0
    monkeypatch.setattr(project_best, "_find", None)  # looking at all sessions would fail
    run_with(3.0, 1, runs[2])
    assert refresh_bests() >= 1
    assert best(runs[2]) == (3.0, True)
    run_with(9.0, 2, runs[2])
    refresh_bests()
    assert best(runs[2]) == (3.0, True)
    monkeypatch.undo()
    runs[2].send(records.rewind_record(0, 10.0))  # takes the best value back
    refresh_bests()
    assert best(runs[1]) == (4.0, True)


def test_a_choice_between_look_and_save_is_not_lost(app: Flask) -> None:
    run = run_with(2.0)
    run_with(3.0, 1, run)
    refresh_bests()
    with reading() as connection:
        query = select(Session.project_id).where(Session.id == run.session)
        project = connection.execute(query).scalar_one()

    def statistic() -> str | None:
        with reading() as connection:
            return connection.execute(select(ProjectBest.statistic).where(ProjectBest.project_id == project)).scalar()

    usual = statistic()
    for chosen, expected in (("max(val_loss)", "max(val_loss)"), (None, usual)):
        run.send(records.session_record(tag="changed"))  # there is something to look at
        with reading() as connection:
            [row] = outdated_projects(connection, [project])
            looked = compute(connection, row)
        with writing() as connection:
            change_project(connection, project, {"best": chosen})
        with writing() as connection:
            save(connection, [looked])
        refresh_bests()
        assert statistic() == expected


def test_many_changes_at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_with(0.5)
    refresh_bests()
    monkeypatch.setattr(project_best, "MAX_CHANGED", 2)
    runs = [run_with(0.1 * n) for n in range(1, 5)]
    refresh_bests()
    assert best(runs[0]) == (0.1, True)
    assert best(first) == (0.1, False)


def test_the_usual_statistic(app: Flask) -> None:
    """That of most sessions, held-out first; what is no number, or says nothing of its direction, does not count."""

    def usual(*runs: dict[str, float]) -> str | None:
        with writing() as connection:
            connection.execute(update(Session).values(archived_at=1.0))
        for each in runs:
            run_with(float("nan"), 0, None, **each)
        with reading() as connection:
            project = connection.execute(select(Session.project_id).limit(1)).scalar_one()
            return project_best.usual_statistic(connection, project)

    assert usual({}) is None
    assert usual({"train": 1.0}, {"train": 2.0}) == "min(train)"
    assert usual({"train": 1.0, "test_error": 1.0}, {"train": 2.0}) == "min(test_error)"
    assert usual(*[{"train": 1.0}] * 3, {"testError": 1.0}) == "min(train)", "hardly any session has it"
    with writing() as connection:
        connection.execute(update(Graph).values(kind=None))
        connection.execute(update(Session).values(archived_at=None))
    refresh_bests()
    with reading() as connection:
        assert connection.execute(select(ProjectBest.statistic).where(ProjectBest.holder.is_not(None))).all() == []


def test_one_worker_does_it(app: Flask) -> None:
    if is_sqlite(db.engine):
        pytest.skip("SQLite has one process")
    run_with(0.01)
    with db.engine.begin() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": BEST_LOCK})
        assert refresh_bests() == 0
    assert refresh_bests() >= 1


def test_the_list_takes_a_fixed_number_of_queries(app: Flask) -> None:
    run = run_with(1.0)
    everything = run.access.readable
    with reading() as connection, counted_statements() as statements:
        found = list_projects(connection, Access(everything, everything, user_id=1))
    assert found
    assert len(statements) == 5
