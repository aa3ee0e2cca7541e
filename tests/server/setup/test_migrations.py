"""The tables that the migrations make, and databases that this version does not migrate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from losswise_server import create_app
from losswise_server.config import CannotStart, load_settings
from losswise_server.db.engine import WRITE, is_sqlite, reading, writing
from losswise_server.db.models import Session
from losswise_server.extensions import db
from losswise_server.setup.upgrade import SNAPSHOT_REVISIONS, upgrade_schema
from sqlalchemy import inspect, select, text

from losswise.protocol import records
from tests.conftest import DATABASES, database_url
from tests.support.application import DirectWriting, application


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> str | None:
    return database_url(request.param, request)


def set_revision(app: Flask, revision: str | None) -> None:
    with app.app_context(), writing() as connection:
        if revision is None:
            connection.execute(text("DROP TABLE alembic_version"))
        else:
            connection.execute(text("UPDATE alembic_version SET version_num = :id"), {"id": revision})


def refusal(app: Flask) -> str:
    with pytest.raises(CannotStart) as refused:
        upgrade_schema(app)
    with app.app_context():
        db.engine.dispose()
    return str(refused.value)


def test_the_migrations_make_the_tables_of_the_models(url: str | None, tmp_path: Path) -> None:
    with application(tmp_path, url) as app:
        with reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []
            if not is_sqlite(connection):
                storage = text(
                    "SELECT attstorage FROM pg_attribute WHERE attrelid = 'summaries'::regclass AND attname = 'buckets'"
                )
                assert connection.execute(storage).scalar_one() in ("e", b"e")
        DirectWriting()
        upgrade_schema(app)  # the second start changes nothing
        with reading() as connection:
            assert connection.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 1


def test_sessions_from_before_the_refusals_are_kept(url: str | None, tmp_path: Path) -> None:
    """Down to the schema without them and up again; a server of the version before may still make sessions."""
    with application(tmp_path, url) as app:
        DirectWriting()
        migrate(app, command.downgrade, "v5_0002")
        with writing() as connection:
            names = [each["name"] for each in inspect(connection).get_columns("sessions")]
            assert "refused" not in names
        migrate(app, command.upgrade, "v5_0003")
        with writing() as connection:
            names = [f'"{name}"' for name in names if name != "key"]
            columns = ", ".join(names)
            others = columns.replace('"id"', f"'{'0' * 20}'")
            connection.execute(text(f"INSERT INTO sessions ({columns}) SELECT {others} FROM sessions"))
        with reading() as connection:
            assert connection.execute(text("SELECT refused FROM sessions")).scalars().all() == [0, 0]


def test_a_worker_of_the_version_before_edits_still_makes_sessions(url: str | None, tmp_path: Path) -> None:
    with application(tmp_path, url) as app:
        run = DirectWriting()
        migrate(app, command.downgrade, "v5_0004")
        with writing() as connection:
            names = [each["name"] for each in inspect(connection).get_columns("sessions")]
            assert {"own_tag", "note", "starred"}.isdisjoint(names)
            assert not inspect(connection).has_table("edits")
        migrate(app, command.upgrade, "head")
        with writing() as connection:
            columns = ", ".join(f'"{name}"' for name in names if name != "key")
            others = columns.replace('"id"', f"'{'0' * 20}'")
            connection.execute(text(f"INSERT INTO sessions ({columns}) SELECT {others} FROM sessions"))
        with reading() as connection:
            rows = connection.execute(select(Session.__table__)).mappings().all()
        new = ("own_tag", "tag_edits", "note", "note_version", "starred", "archived_at", "deleted_at")
        assert [[row[name] for name in new] for row in rows] == [[None, {}, "", 0, False, None, None]] * 2
        run.send(records.session_record(tag="goes on"))


def test_sessions_from_before_the_origin_get_theirs(url: str | None, tmp_path: Path) -> None:
    """The commit, branch and host that their metadata have, whatever else is in it."""
    with application(tmp_path, url) as app:
        runs = [DirectWriting() for _ in range(3)]
        git = {"commit": "c" * 40, "branch": "topic", "diff": "d" * 100_000}
        runs[0].send(records.session_record(git=git, env={"host": "h" * 600}))
        runs[1].send(records.session_record(git={"commit": ""}, env={"host": 7}))
        migrate(app, command.downgrade, "v5_0005")
        with writing() as connection:
            columns = {each["name"] for each in inspect(connection).get_columns("sessions")}
            assert not {"git_commit", "git_branch", "host", "user_name"} & columns
        migrate(app, command.upgrade, "v5_0006")
        query = text("SELECT git_commit, git_branch, host, user_name FROM sessions ORDER BY key")
        with reading() as connection:
            first, *others = [tuple(row) for row in connection.execute(query)]
        assert first == ("c" * 40, "topic", "h" * 500, None)
        assert [[value or None for value in row] for row in others] == [[None] * 4] * 2


def test_a_worker_of_the_version_before_views_still_makes_projects(url: str | None, tmp_path: Path) -> None:
    with application(tmp_path, url) as app:
        DirectWriting()
        migrate(app, command.downgrade, "v5_0007")
        with writing() as connection:
            names = [each["name"] for each in inspect(connection).get_columns("projects")]
            assert {"description", "best"}.isdisjoint(names)
            tables = ("views", "default_views", "stored_addresses", "project_stars", "project_bests")
            assert not any(inspect(connection).has_table(name) for name in tables)
        migrate(app, command.upgrade, "v5_0008")
        with writing() as connection:
            columns = ", ".join(name for name in names if name != "id")
            others = columns.replace("name", "'made before'")
            connection.execute(text(f"INSERT INTO projects ({columns}) SELECT {others} FROM projects"))
        with reading() as connection:
            found = connection.execute(text("SELECT description, best FROM projects")).all()
            assert [tuple(row) for row in found] == [("", None)] * 2
            assert connection.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 1


def migrate(app: Flask, way: Any, revision: str) -> None:
    """Run Alembic's upgrade or downgrade."""
    config = app.extensions["migrate"].migrate.get_config()
    with db.engine.connect() as plain:
        connection = plain.execution_options(**{WRITE: True})
        with connection.begin():
            config.attributes["connection"] = connection
            way(config, revision)


@pytest.mark.parametrize("revision", [*sorted(SNAPSHOT_REVISIONS), None])
def test_a_development_snapshot_is_refused(url: str | None, tmp_path: Path, revision: str | None) -> None:
    app = create_app(load_settings(str(tmp_path), url, {}))
    upgrade_schema(app)
    set_revision(app, revision)
    sentence = refusal(app)
    assert "development snapshot" in sentence
    assert "`losswise server` of that snapshot" in sentence
    assert "--data-dir or --database-url" in sentence
    with app.app_context():
        with db.engine.connect() as connection:
            assert inspect(connection).has_table("alembic_version") is (revision is not None)  # nothing was changed
        db.engine.dispose()


def test_a_newer_version_is_refused(url: str | None, tmp_path: Path) -> None:
    app = create_app(load_settings(str(tmp_path), url, {}))
    upgrade_schema(app)
    set_revision(app, "v9_0001")
    assert "made by a newer Losswise (its schema is v9_0001" in refusal(app)


TABLES_OF_0001 = ("sessions", "graphs", "writers", "points", "summaries")


def test_a_database_of_the_first_version_goes_on(url: str | None, tmp_path: Path) -> None:
    """It keeps what it has, and a run that was going on while the server was upgraded is rewound like any other."""
    app = create_app(load_settings(str(tmp_path), url, {}))
    with application(tmp_path, url):
        run = DirectWriting()
        graph = run.graph()
        run.send(records.points_record(graph, [0, 1, 2], [10.0, 11.0, 12.0], {"a": [1.0, 2.0, 3.0]}))
        rows = {name: rows_of(name) for name in TABLES_OF_0001}
    with app.app_context():
        migrate(app, command.downgrade, "v5_0001")
        with reading() as connection:
            assert not inspect(connection).has_table("marks")
            assert "writer" not in {column["name"] for column in inspect(connection).get_columns("points")}
        db.session.remove()
        db.engine.dispose()
    upgrade_schema(app)
    with app.app_context():
        after = {name: rows_of(name) for name in TABLES_OF_0001}
        for name, before in rows.items():
            added = {"number", "writer", "first_sequence", "change"}
            assert [without(row, added) for row in after[name]] == [without(row, added) for row in before]
        assert [row["writer"] for row in after["points"]] == [None] * 3
        run.send(records.mark_record(1), records.points_record(graph, [0, 3], [20.0, 21.0], {"a": [9.0, 9.0]}))
        assert [row["writer"] for row in rows_of("points")] == [None] * 3 + [1] * 2
        run.send(records.rewind_record(2, 30.0, None, 19.0, {run.writer: 1}))
        assert [(row["x"], row["t"]) for row in rows_of("points")] == [(0, 10.0), (1, 11.0), (2, 12.0)]
        db.session.remove()
        db.engine.dispose()


def rows_of(table: str) -> list[dict[str, Any]]:
    order = "sequence" if table == "points" else "1"
    with reading() as connection:
        return [dict(row) for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY {order}")).mappings()]


def without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
