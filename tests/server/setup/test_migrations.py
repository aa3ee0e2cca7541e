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
from losswise_server.extensions import db
from losswise_server.setup.upgrade import SNAPSHOT_REVISIONS, upgrade_schema
from sqlalchemy import inspect, text

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
        migrate(app, command.downgrade, "v5_0001")
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
