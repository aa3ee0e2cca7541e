"""Database URLs: defaults, drivers, passwords."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import URL, make_url


def sqlite_url(data_dir: Path) -> str:
    """The URL of the database in a data folder."""
    return f"sqlite:///{(data_dir / 'losswise.db').resolve()}"


def normalize_url(url: str) -> str:
    """The URL with the driver that SQLAlchemy needs; also accepts postgres://, which many hosting services use."""
    for old in ("postgres://", "postgresql://"):
        if url.startswith(old):
            return "postgresql+psycopg2://" + url[len(old) :]
    return url


def without_password(url: str) -> str:
    """The URL without the password, which PostgreSQL's client can take from PGPASSWORD or ~/.pgpass."""
    return make_url(url)._replace(password=None).render_as_string(hide_password=False)


def shown_url(url: str | URL) -> str:
    """The URL for messages: without the driver, and with *** for the password."""
    return make_url(url).render_as_string(hide_password=True).replace("postgresql+psycopg2://", "postgresql://", 1)
