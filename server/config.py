"""The server's settings: from the command line, else the environment, else defaults in a data folder."""

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
    """The server cannot start. The message says why and what to do."""


@dataclass(frozen=True)
class Settings:
    """Where the data is, and the key that signs cookies."""

    data_dir: Path
    database_url: str
    secret_key: str

    @property
    def sqlite(self) -> bool:
        """Whether the database is SQLite; else it is PostgreSQL."""
        return self.database_url.startswith("sqlite")


def load_settings(
    data_dir: str | None = None,
    database_url: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read the settings. Raises CannotStart if the data folder is not writable or the database address is invalid."""
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
    """Normalize a database address. Raises CannotStart unless it is one of SQLite or PostgreSQL."""
    url = normalize_url(url)
    try:
        known = make_url(url).get_backend_name() in ("sqlite", "postgresql")
    except ArgumentError:
        known = False
    if not known:
        raise CannotStart("the database address is invalid; it looks like postgresql://user:password@host:5432/name")
    return url


def make_data_dir(folder: Path) -> None:
    """Create the data folder, and test that it can be written. Raises CannotStart."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise CannotStart(
            f"the data folder {folder} cannot be written ({error.strerror}); "
            "name another with --data-dir or LW_DATA_DIR"
        ) from None


def _stored_secret(folder: Path) -> str:
    """The key that signs cookies: created once, in a file that only this user can read."""
    path = folder / "secret_key"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        secret = secrets.token_hex(32)
        file.write(secret)
    return secret
