"""The tables of saved views, and of addresses that are too long for an address bar."""

from __future__ import annotations

from sqlalchemy import Float, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ..extensions import db
from .models import Id

NOBODY = 0  # as the user of a default: it is the project's


def _unique(name: str, *columns: str, where: str) -> Index:
    """A unique index of the rows that a condition finds."""
    return Index(name, *columns, unique=True, sqlite_where=text(where), postgresql_where=text(where))


class View(db.Model):  # type: ignore[name-defined]
    """What a project's page shows, under a name.

    Attributes:
        owner_id: who has made it; None for a key of an organization.
        shared: whether it is the project's; otherwise it is for its owner only.
        search: the page's address from '?' on.
        name_key: the name without its case, by which it is there once among those that are listed together.
        version: raised by each change, so that two people do not overwrite each other's.
        deleted_at: unix seconds; None unless somebody has deleted it, which can be undone for a day.
    """

    __tablename__ = "views"
    __table_args__ = (
        Index("ix_views_project", "project_id"),
        Index("ix_views_deleted", "deleted_at"),
        _unique("ix_views_shared_name", "project_id", "name_key", where="shared AND deleted_at IS NULL"),
        _unique("ix_views_own_name", "project_id", "owner_id", "name_key", where="NOT shared AND deleted_at IS NULL"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    project_id: Mapped[int]
    owner_id: Mapped[int | None]
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(Text)
    shared: Mapped[bool]
    search: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[float] = mapped_column(Float(53))
    updated_at: Mapped[float] = mapped_column(Float(53))
    deleted_at: Mapped[float | None] = mapped_column(Float(53))


class DefaultView(db.Model):  # type: ignore[name-defined]
    """The view that a project's page opens with, for a user or, with NOBODY as the user, for the project."""

    __tablename__ = "default_views"

    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    view_id: Mapped[str] = mapped_column(Id)


class StoredAddress(db.Model):  # type: ignore[name-defined]
    """An address, from '?' on, under a digest of it.

    Attributes:
        size: bytes of `search`.
    """

    __tablename__ = "stored_addresses"
    __table_args__ = (
        Index("ix_stored_addresses_used", "used_at"),
        Index("ix_stored_addresses_size", "project_id", "used_at", "size"),
    )

    project_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    size: Mapped[int]
    search: Mapped[str] = mapped_column(Text)
    used_at: Mapped[float] = mapped_column(Float(53))
