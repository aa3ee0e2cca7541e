"""The tables of change numbers: see sessions.change_numbers."""

from __future__ import annotations

from sqlalchemy import Float, Index, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import db
from .models import Big, Id


class ChangeNumbers(db.Model):  # type: ignore[name-defined]
    """The one row that says how changes of sessions are numbered.

    Attributes:
        epoch: a random word; numbers and cursors of different epochs cannot be compared.
        last: SQLite: the number that was given last.
        base: PostgreSQL: what is added to a transaction's id.
        forgotten: removals up to this number may have been deleted.
        cluster: of PostgreSQL, where this epoch began.
    """

    __tablename__ = "change_numbers"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    epoch: Mapped[str] = mapped_column(String(20))
    last: Mapped[int] = mapped_column(Big)
    base: Mapped[int] = mapped_column(Big)
    forgotten: Mapped[int] = mapped_column(Big)
    cluster: Mapped[str] = mapped_column(Text)


class Removal(db.Model):  # type: ignore[name-defined]
    """A session that has left a project, so that readers of its changes learn of it. Kept for some days."""

    __tablename__ = "removals"
    __table_args__ = (Index("ix_removals_change", "project_id", "change"),)

    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    session_id: Mapped[str] = mapped_column(Id, primary_key=True)
    change: Mapped[int] = mapped_column(Big)
    removed_at: Mapped[float] = mapped_column(Float(53))
