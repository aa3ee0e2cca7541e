"""What a person has set up in a project"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v5_0007"
down_revision = "v5_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preferences",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "project_id", "name"),
    )


def downgrade() -> None:
    op.drop_table("preferences")
