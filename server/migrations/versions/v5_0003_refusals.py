"""What was not stored, and why"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v5_0003"
down_revision = "v5_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refusals",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("writer", sa.String(length=20), nullable=False),
        sa.Column("ident", sa.String(length=20), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("t", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("session_key", "writer", "ident"),
    )
    # with a default in the database, for workers of the version before that still make sessions
    op.add_column("sessions", sa.Column("refused", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("sessions", "refused")
    op.drop_table("refusals")
