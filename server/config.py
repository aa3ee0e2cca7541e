"""Settings of the server: from the command line, the environment, or a data folder that it creates itself."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from losswise.util.paths import data_folder

from .db.urls import normalize_url, sqlite_url


class CannotStart(Exception):
    """The server cannot start. The message says why and what to do about it."""


@dataclass(frozen=True)
class Settings:
    """The location of the data, and the secret that signs cookies.

    Attributes:
        data_dir: the folder of the SQLite database and of `secret_key`; not used with a database URL and a secret.
        database_url: SQLAlchemy's URL of the database.
    """

    data_dir: Path
    database_url: str
    secret_key: str

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite; else it is PostgreSQL."""
        return self.database_url.startswith("sqlite")


def load_settings(
    data_dir: str | None = None,
    database_url: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Settings from arguments, else LW_DATA_DIR, LW_DATABASE_URL and LW_SECRET_KEY, else defaults.

    Raises CannotStart if the data folder cannot be written or the database URL is not understood.
    """
    folder = Path(data_dir or environ.get("LW_DATA_DIR") or data_folder()).expanduser()
    url = database_url or environ.get("LW_DATABASE_URL")
    secret = environ.get("LW_SECRET_KEY")
    if not url or not secret:
        make_data_dir(folder)
    return Settings(
        data_dir=folder,
        database_url=checked_url(url) if url else sqlite_url(folder),
        secret_key=secret or _stored_secret(folder),
    )


def checked_url(url: str) -> str:
    """The database URL in SQLAlchemy's form. Raises CannotStart unless it names SQLite or PostgreSQL."""
    url = normalize_url(url)
    try:
        known = make_url(url).get_backend_name() in ("sqlite", "postgresql")
    except ArgumentError:
        known = False
    if not known:
        raise CannotStart(
            "the database URL is not understood; it should look like postgresql://user:password@host:5432/name"
        )
    return url


def make_data_dir(folder: Path) -> None:
    """Create the folder if it is missing. Raises CannotStart unless it is writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            f"the data folder {folder} is not writable ({error.strerror}); "
            "choose another one with --data-dir or LW_DATA_DIR"
        ) from None


def _stored_secret(folder: Path) -> str:
    """The secret in the data folder, readable by this user only; it is created at the first start."""
    path = folder / "secret_key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        secret = secrets.token_hex(32)
        file.write(secret)
    return secret
