"""Nothing: holds the place of a migration that is made elsewhere."""

from __future__ import annotations

revision = "v5_0004"
down_revision = "v5_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
