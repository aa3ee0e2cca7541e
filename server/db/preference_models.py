"""The table of what a person has set up in a project, such as the columns of its session table."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import db
from .models import Ordered


class Preference(db.Model):  # type: ignore[name-defined]
    __tablename__ = "preferences"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[Any] = mapped_column(Ordered)
    updated_at: Mapped[float] = mapped_column(Float(53))
