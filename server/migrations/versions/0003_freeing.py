"""keys of deleted sessions whose rows are still to be deleted"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "freeing",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("session_key"),
    )


def downgrade() -> None:
    op.drop_table("freeing")
