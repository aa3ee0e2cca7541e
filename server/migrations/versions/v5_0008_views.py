"""Saved views, stored addresses; descriptions, stars and best values of projects"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "v5_0008"
down_revision = "v5_0007"
branch_labels = None
depends_on = None

OVERVIEW = ["project_id", "archived_at", "deleted_at", "status", "updated_at"]

UNIQUE_NAMES = (
    ("ix_views_shared_name", ["project_id", "name_key"], "shared"),
    ("ix_views_own_name", ["project_id", "owner_id", "name_key"], "NOT shared"),
)


def upgrade() -> None:
    op.create_table(
        "views",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("updated_at", sa.Float(precision=53), nullable=False),
        sa.Column("deleted_at", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_views_project", "views", ["project_id"])
    op.create_index("ix_views_deleted", "views", ["deleted_at"])
    for name, columns, where in UNIQUE_NAMES:
        condition = sa.text(f"{where} AND deleted_at IS NULL")
        op.create_index(name, "views", columns, unique=True, sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "default_views",
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("view_id", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id"),
    )
    op.create_table(
        "stored_addresses",
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("search", sa.Text(), nullable=False),
        sa.Column("used_at", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id"),
    )
    op.create_index("ix_stored_addresses_used", "stored_addresses", ["used_at"])
    op.create_index("ix_stored_addresses_size", "stored_addresses", ["project_id", "used_at", "size"])
    # with defaults in the database, for workers of the version before that still make projects
    op.add_column("projects", sa.Column("description", sa.Text(), server_default="", nullable=False))
    op.add_column("projects", sa.Column("best", sa.Text(), nullable=True))
    op.create_table(
        "project_stars",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "project_id"),
    )
    op.create_table(
        "project_bests",
        sa.Column("project_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chosen", sa.Text(), nullable=True),
        sa.Column("statistic", sa.Text(), nullable=True),
        sa.Column("value", sa.Float(precision=53), nullable=True),
        sa.Column("holder", sa.Integer(), nullable=True),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
    )
    op.create_index("ix_sessions_overview", "sessions", OVERVIEW)


def downgrade() -> None:
    op.drop_index("ix_sessions_overview", "sessions")
    op.drop_table("project_bests")
    op.drop_table("project_stars")
    op.drop_column("projects", "best")
    op.drop_column("projects", "description")
    op.drop_table("stored_addresses")
    op.drop_table("default_views")
    op.drop_table("views")
