"""What people change of sessions: names, tags, notes, stars, the archive, the bin; and how it is taken back"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "v5_0005"
down_revision = "v5_0004"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(JSONB(), "postgresql")
COLUMNS = ("own_tag", "tag_edits", "note", "note_version", "starred", "archived_at", "deleted_at")


def upgrade() -> None:
    # with defaults in the database, for workers of the version before that still make sessions
    op.add_column("sessions", sa.Column("own_tag", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("tag_edits", JSON, server_default="{}", nullable=False))
    op.add_column("sessions", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.add_column("sessions", sa.Column("note_version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("sessions", sa.Column("starred", sa.Boolean(), server_default="0", nullable=False))
    op.add_column("sessions", sa.Column("archived_at", sa.Float(precision=53), nullable=True))
    op.add_column("sessions", sa.Column("deleted_at", sa.Float(precision=53), nullable=True))
    op.create_index("ix_sessions_deleted", "sessions", ["deleted_at"])
    op.create_table(
        "edits",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("organization_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_edits_created", "edits", ["created_at"])


def downgrade() -> None:
    op.drop_table("edits")
    op.drop_index("ix_sessions_deleted", "sessions")
    for column in reversed(COLUMNS):
        op.drop_column("sessions", column)
