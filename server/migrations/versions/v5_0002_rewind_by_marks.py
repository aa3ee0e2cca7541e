"""Rewind by what was recorded: the writers of points, marks; progress as integrations tell it.

Revision ID: v5_0002
Revises: v5_0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v5_0002"
down_revision = "v5_0001"

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    # columns with constant defaults: neither database rewrites the rows that are there, of which there may be billions
    op.add_column("points", sa.Column("writer", sa.SmallInteger(), nullable=True))
    op.add_column("writers", sa.Column("number", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("writers", sa.Column("first_sequence", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("writers", sa.Column("trains", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("graphs", sa.Column("arrivals", JSON, nullable=False, server_default="[]"))
    op.add_column("sessions", sa.Column("marked", sa.BigInteger(), nullable=True))
    op.add_column("sessions", sa.Column("steps", sa.BigInteger(), nullable=True))
    op.add_column("sessions", sa.Column("steps_at", sa.Float(precision=53), nullable=True))
    op.add_column("sessions", sa.Column("kept", JSON, nullable=False, server_default="{}"))
    op.create_table(
        "marks",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("writer", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("t", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("session_key", "writer", "number"),
    )


def downgrade() -> None:
    op.drop_table("marks")
    for table, columns in (
        ("sessions", ("kept", "steps_at", "steps", "marked")),
        ("graphs", ("arrivals",)),
        ("writers", ("trains", "first_sequence", "number")),
        ("points", ("writer",)),
    ):
        for column in columns:
            op.drop_column(table, column)
