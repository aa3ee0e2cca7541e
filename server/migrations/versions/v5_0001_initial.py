"""Initial tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

# keeps the order of names, which JSONB does not
ORDERED_JSON = sa.JSON(none_as_null=True)
JSON = ORDERED_JSON.with_variant(JSONB(none_as_null=True), "postgresql")

# development snapshots had migrations 0001 to 0004: setup/upgrade.py refuses their databases
revision = "v5_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("session_key", "sha256"),
    )
    op.create_table(
        "deleted_sessions",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("deleted_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "graphs",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("xlabel", sa.Text(), nullable=False),
        sa.Column("ylabel", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=3), nullable=True),
        sa.Column("names", JSON, nullable=False),
        sa.Column("name_sets", JSON, nullable=False),
        sa.PrimaryKeyConstraint("session_key", "number"),
    )
    op.create_index("ix_graphs_id", "graphs", ["id"], unique=False)
    op.create_table(
        "image_sequences",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("x", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", "session_key"),
    )
    op.create_table(
        "images",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Text(), nullable=False),
        sa.Column("x", sa.BigInteger(), nullable=False),
        sa.Column("image_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("outputs", ORDERED_JSON, nullable=False),
        sa.Column("metrics", ORDERED_JSON, nullable=False),
        sa.PrimaryKeyConstraint("session_key", "number"),
    )
    op.create_table(
        "organizations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "pending_purges",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("session_key"),
    )
    op.create_table(
        "points",
        sa.Column("x", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("t", sa.Float(precision=53), nullable=False),
        sa.Column("session_key", sa.Integer(), nullable=False),
        sa.Column("graph", sa.Integer(), nullable=False),
        sa.Column("name_set", sa.Integer(), nullable=False),
        sa.Column("y", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_points", "points", ["session_key", "graph", "x"], unique=False)
    op.create_table(
        "session_metadata",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("git", ORDERED_JSON, nullable=False),
        sa.Column("env", ORDERED_JSON, nullable=False),
        sa.Column("info", ORDERED_JSON, nullable=False),
        sa.Column("error", ORDERED_JSON, nullable=True),
        sa.PrimaryKeyConstraint("session_key"),
    )
    op.create_table(
        "sessions",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=True),
        sa.Column("tags", JSON, nullable=False),
        sa.Column("params", ORDERED_JSON, nullable=False),
        sa.Column("values", ORDERED_JSON, nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("max_iter", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("last_seen_at", sa.Float(precision=53), nullable=False),
        sa.Column("ended_at", sa.Float(precision=53), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("end_status", sa.String(length=10), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("end_at", sa.Float(precision=53), nullable=True),
        sa.Column("end_last_seen_at", sa.Float(precision=53), nullable=True),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("next_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_x", sa.BigInteger(), nullable=True),
        sa.Column("eta", sa.Float(precision=53), nullable=True),
        sa.Column("pace", JSON, nullable=False),
        sa.Column("stats", JSON, nullable=False),
        sa.Column("graph_stats", ORDERED_JSON, nullable=False),
        sa.Column("rewinds", JSON, nullable=False),
        sa.Column("summary_states", JSON, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("protocol", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sessions_active", "sessions", ["status", "last_seen_at"], unique=False)
    op.create_index("ix_sessions_project", "sessions", ["project_id", "key"], unique=False)
    op.create_table(
        "summaries",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("graph", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("page", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("buckets", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("session_key", "graph", "level", "page", "name"),
    )
    op.create_table(
        "texts",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("x", sa.BigInteger(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("session_key", "number"),
    )
    op.create_index("ix_texts", "texts", ["session_key", "name"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=400), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("email"),
    )
    op.create_table(
        "writers",
        sa.Column("session_key", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.Float(precision=53), nullable=False),
        sa.Column("last_seen_at", sa.Float(precision=53), nullable=False),
        sa.Column("ended_at", sa.Float(precision=53), nullable=True),
        sa.Column("status", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("session_key", "id"),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("user_id", "organization_id"),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organization_id", "name"),
    )
    op.create_table(
        "sign_in_links",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Float(precision=53), nullable=False),
        sa.Column("used_at", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organization_id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=32), nullable=True),
        sa.Column("limited", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("revoked_at", sa.Float(precision=53), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["users.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_hash"),
    )

    if op.get_bind().dialect.name == "postgresql":
        # buckets are read and written whole, and numbers hardly compress
        op.execute("ALTER TABLE summaries ALTER COLUMN buckets SET STORAGE EXTERNAL")


def downgrade() -> None:
    for table in (
        "api_keys",
        "sign_in_links",
        "projects",
        "memberships",
        "writers",
        "users",
        "texts",
        "summaries",
        "sessions",
        "session_metadata",
        "points",
        "pending_purges",
        "organizations",
        "images",
        "image_sequences",
        "graphs",
        "deleted_sessions",
        "blobs",
    ):
        op.drop_table(table)
