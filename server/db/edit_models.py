"""The table of edits that can be taken back: see edits.record."""

from __future__ import annotations

from sqlalchemy import Float, Index
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import db
from .models import Id, Ordered

EDIT_KEPT_S = 24 * 3_600


class Edit(db.Model):  # type: ignore[name-defined]
    """What it takes to take back an edit of sessions, for a day, by its user, or by the keys of its organization."""

    __tablename__ = "edits"
    __table_args__ = (Index("ix_edits_created", "created_at"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)  # the token that takes it back
    user_id: Mapped[int | None]
    organization_id: Mapped[int | None]
    created_at: Mapped[float] = mapped_column(Float(53))
    changes: Mapped[dict] = mapped_column(Ordered)  # edits.record.Changes
