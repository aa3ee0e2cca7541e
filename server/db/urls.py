"""Database URLs: normalize them and hide passwords."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url


def sqlite_url(data_dir: Path) -> str:
    return f"sqlite:///{(data_dir / 'losswise.db').resolve()}"


def normalize_url(url: str) -> str:
    """The address as SQLAlchemy and psycopg2 take it: postgres:// is what many hosts hand out."""
    for old in ("postgres://", "postgresql://"):
        if url.startswith(old):
            return "postgresql+psycopg2://" + url[len(old) :]
    return url


def without_password(url: str) -> str:
    """The address without the password: PostgreSQL's client takes that of PGPASSWORD or of its password file."""
    return make_url(url)._replace(password=None).render_as_string(hide_password=False)


def shown_url(url: str | URL) -> str:
    """The address as people write it, without the driver's name; a password is `***`."""
    return make_url(url).render_as_string(hide_password=True).replace("postgresql+psycopg2://", "postgresql://", 1)
