"""The tables of saved views, and of addresses that are too long for an address bar."""

from __future__ import annotations

from sqlalchemy import Float, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import db
from .models import Id

NOBODY = 0  # as the user of a default: it is the project's


class View(db.Model):  # type: ignore[name-defined]
    """What a project's page shows, under a name.

    Attributes:
        owner_id: who has made it; None for a key of an organization.
        shared: whether it is the project's; otherwise it is for its owner only.
        search: the page's address from '?' on.
        version: raised by each change, so that two people do not overwrite each other's.
    """

    __tablename__ = "views"
    __table_args__ = (Index("ix_views_project", "project_id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    project_id: Mapped[int]
    owner_id: Mapped[int | None]
    name: Mapped[str] = mapped_column(String(200))
    shared: Mapped[bool]
    search: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[float] = mapped_column(Float(53))
    updated_at: Mapped[float] = mapped_column(Float(53))


class DefaultView(db.Model):  # type: ignore[name-defined]
    """The view that a project's page opens with, for a user or, with NOBODY as the user, for the project."""

    __tablename__ = "default_views"

    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    view_id: Mapped[str] = mapped_column(Id)


class StoredAddress(db.Model):  # type: ignore[name-defined]
    """An address, from '?' on, under a digest of it."""

    __tablename__ = "stored_addresses"
    __table_args__ = (Index("ix_stored_addresses_used", "used_at"),)

    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    search: Mapped[str] = mapped_column(Text)
    used_at: Mapped[float] = mapped_column(Float(53))
