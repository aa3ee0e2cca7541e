"""what the writers of a session that have ended say"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("end_status", sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column("end_reason", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("end_at", sa.Float(precision=53), nullable=True))
        batch_op.add_column(sa.Column("end_heard_at", sa.Float(precision=53), nullable=True))


def downgrade() -> None:
    for name in ("end_heard_at", "end_at", "end_reason", "end_status"):
        op.drop_column("sessions", name)
