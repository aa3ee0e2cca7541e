"""Migrate the database to the schema of this version."""

from __future__ import annotations

from alembic import command
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from ..config import CannotStart
from ..db.engine import SETUP_LOCK, WRITE, wait_for_advisory_lock
from ..db.urls import shown_url
from ..extensions import db

# the migrations of development snapshots before the first release
SNAPSHOT_REVISIONS = {"0001", "0002", "0003", "0004"}


def upgrade_schema(app: Flask) -> None:
    """Run the missing migrations, in one transaction.

    Servers that start at the same time wait for each other: the first one migrates.

    Raises CannotStart if the database cannot be reached, or was made by a development snapshot or a newer version.
    """
    with app.app_context():
        config = app.extensions["migrate"].migrate.get_config()
        try:
            with db.engine.connect() as plain:
                connection = plain.execution_options(**{WRITE: True})
                with connection.begin():
                    wait_for_advisory_lock(connection, SETUP_LOCK)
                    _refuse_snapshot(connection)
                    _refuse_newer(connection, ScriptDirectory.from_config(config))
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
        except DBAPIError as error:
            reason = (str(error.orig).strip() or "no reason given").splitlines()[0]
            address = shown_url(db.engine.url)
            raise CannotStart(f"the database {address} cannot be used: {reason}") from None


def _refuse_snapshot(connection: Connection) -> None:
    """Raise CannotStart if a development snapshot made the database: its tables are others, and are not migrated."""
    heads = set(MigrationContext.configure(connection).get_current_heads())
    if heads & SNAPSHOT_REVISIONS or (not heads and inspect(connection).has_table("sessions")):
        raise CannotStart(
            f"the database {shown_url(connection.engine.url)} was made by a development snapshot of Losswise and "
            "cannot be read by this version; name another one with --data-dir or --database-url. `losswise server` of "
            "that snapshot (git commit 5b9a04f) still serves it, and gives out its sessions and points under /api/v2"
        )


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    """Raise CannotStart if a newer version has migrated the database."""
    known = {script.revision for script in scripts.walk_revisions()}
    newer = set(MigrationContext.configure(connection).get_current_heads()) - known
    if newer:
        raise CannotStart(
            f"the database was made by a newer Losswise (its schema is {min(newer)}, which this version does not "
            "know); install that version or a later one, or name another database"
        )
