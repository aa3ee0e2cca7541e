"""Commit, branch, host and user of a session, for queries"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v5_0006"
down_revision = "v5_0005"
branch_labels = None
depends_on = None

COLUMNS = {"git_commit": ("git", "commit"), "git_branch": ("git", "branch"), "host": ("env", "host")}
MAX_CHARS = 500
CHUNK = 200


def upgrade() -> None:
    for name in (*COLUMNS, "user_name"):
        op.add_column("sessions", sa.Column(name, sa.Text()))
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """Copy what the metadata of sessions have. Clients recorded no user before."""
    is_sqlite = connection.dialect.name == "sqlite"
    metadata = sa.table("session_metadata", sa.column("session_key"), sa.column("git"), sa.column("env"))
    sessions = sa.table("sessions", sa.column("key"), *(sa.column(name) for name in COLUMNS))

    def text(part: str, name: str) -> sa.ColumnElement[str]:
        column = metadata.c[part]
        if is_sqlite:
            path = f"$.{name}"
            valid = sa.case((sa.func.json_valid(column) == 1, column), else_="{}")  # SQLite reads no deep nesting
            found = sa.func.substr(sa.func.json_extract(valid, path), 1, MAX_CHARS)
            return sa.case((sa.func.json_type(valid, path) == "text", found))
        value = column.op("->")(name)
        found = sa.func.substr(column.op("->>")(name), 1, MAX_CHARS)
        return sa.case((sa.func.json_typeof(value) == "string", found))

    found = sa.select(metadata.c.session_key, *(text(*source).label(name) for name, source in COLUMNS.items()))
    keys = list(connection.execute(sa.select(sessions.c.key).order_by(sessions.c.key)).scalars())
    change = (
        sa.update(sessions)
        .where(sessions.c.key == sa.bindparam("session_key"))
        .values({name: sa.bindparam(f"new_{name}") for name in COLUMNS})
    )
    for start in range(0, len(keys), CHUNK):  # a statement for each: they would keep many diffs in memory
        rows = connection.execute(found.where(metadata.c.session_key.in_(keys[start : start + CHUNK]))).all()
        given = [row for row in rows if any(row[1:])]
        if given:
            names = ["session_key", *(f"new_{name}" for name in COLUMNS)]
            connection.execute(change, [dict(zip(names, row, strict=True)) for row in given])


def downgrade() -> None:
    for name in ("user_name", *reversed(COLUMNS)):
        op.drop_column("sessions", name)
