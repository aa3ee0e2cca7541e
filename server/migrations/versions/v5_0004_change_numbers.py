"""Change numbers of sessions, and the sessions that have left a project"""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "v5_0004"
down_revision = "v5_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # with a default in the database, for workers of the version before that still make sessions
    op.add_column("sessions", sa.Column("change", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("ix_sessions_change", "sessions", ["project_id", "change"])
    op.create_table(
        "removals",
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("session_id", sa.String(length=20), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "session_id"),
    )
    op.create_index("ix_removals_change", "removals", ["project_id", "change"])
    numbers = op.create_table(
        "change_numbers",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=20), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=False),
        sa.Column("forgotten", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    first = {"id": 1, "epoch": secrets.token_hex(8), "last": 0, "base": 0, "forgotten": 0, "cluster": ""}
    op.bulk_insert(numbers, [first])


def downgrade() -> None:
    op.drop_table("change_numbers")
    op.drop_table("removals")
    op.drop_index("ix_sessions_change", "sessions")
    op.drop_column("sessions", "change")
