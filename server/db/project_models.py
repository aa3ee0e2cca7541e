"""The tables of what the list of projects shows: people's stars, and the best value of each project."""

from __future__ import annotations

from sqlalchemy import Float, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import db
from .models import Big


class ProjectStar(db.Model):  # type: ignore[name-defined]
    __tablename__ = "project_stars"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class ProjectBest(db.Model):  # type: ignore[name-defined]
    """The best value of a project's sessions, as sessions.project_best keeps it.

    Attributes:
        chosen: the statistic that people had chosen for the project when this was found; None for the usual one.
        statistic: such as "min(val_loss)"; None if the sessions have none.
        value, holder: the best value of the current sessions, and the key of the one that has it; None if none has.
        seen: the changes of sessions with numbers below this are in it, see sessions.change_numbers.
    """

    __tablename__ = "project_bests"

    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    chosen: Mapped[str | None] = mapped_column(Text)
    statistic: Mapped[str | None] = mapped_column(Text)
    value: Mapped[float | None] = mapped_column(Float(53))
    holder: Mapped[int | None]
    seen: Mapped[int] = mapped_column(Big)
