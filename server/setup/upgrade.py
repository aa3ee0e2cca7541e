"""Bringing the database to this program's schema, once, whoever of several workers or hosts starts first."""

from __future__ import annotations

from alembic import command
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from ..config import CannotStart
from ..db.engine import WRITE, is_sqlite
from ..db.urls import shown_url
from ..extensions import db
from .seal_points import seal_old_points

PACKED = "0004"
"""The migration that packs points."""
SETUP_LOCK = 0x10551
"""The advisory lock that a process holds while it migrates or makes the first rows. The number means nothing, but
must not change."""


def upgrade_schema(app: Flask) -> None:
    """Run the migrations that are missing. Raises CannotStart for a database that cannot be reached, or that a
    newer program has migrated."""
    with app.app_context():
        config = app.extensions["migrate"].migrate.get_config()
        try:
            with db.engine.connect() as plain:
                connection = plain.execution_options(**{WRITE: True})
                with connection.begin():
                    lock_setup(connection)
                    refuse_newer(connection, ScriptDirectory.from_config(config))
                    before = MigrationContext.configure(connection).get_current_heads()
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
                    if before and min(before) < PACKED:
                        seal_old_points(connection)
        except DBAPIError as error:
            reason = (str(error.orig).strip() or "it gives no reason").splitlines()[0]
            address = shown_url(db.engine.url)
            raise CannotStart(f"the database {address} cannot be used: {reason}") from None


def lock_setup(connection: Connection) -> None:
    """Wait until no other process is setting the database up; held to the end of the transaction."""
    if not is_sqlite(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": SETUP_LOCK})


def refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    known = {script.revision for script in scripts.walk_revisions()}
    newer = set(MigrationContext.configure(connection).get_current_heads()) - known
    if newer:
        raise CannotStart(
            f"the database was made by a newer Losswise (its schema is {min(newer)}, which this program does not "
            "know); install that version or a later one, or name another database"
        )
