"""Read and fill a server's tables directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from losswise_server.db.models import points
from losswise_server.db.urls import normalize_url, sqlite_url
from sqlalchemy import Connection, create_engine, text

from tests.support.server import Server


@contextmanager
def database(server: Server) -> Iterator[Connection]:
    """A transaction on the server's database."""
    engine = create_engine(normalize_url(server.database_url) if server.database_url else sqlite_url(server.data_dir))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def key_of(server: Server, session: str) -> int:
    with database(server) as connection:
        return int(connection.execute(text("SELECT key FROM sessions WHERE id = :id"), {"id": session}).scalar_one())


def rows_left(server: Server, table: str, key: int) -> int:
    with database(server) as connection:
        query = text(f"SELECT count(*) FROM {table} WHERE session_key = :key")
        return int(connection.execute(query, {"key": key}).scalar_one())


def has_rows(server: Server, table: str, key: int) -> bool:
    with database(server) as connection:
        query = text(f"SELECT 1 FROM {table} WHERE session_key = :key LIMIT 1")
        return connection.execute(query, {"key": key}).first() is not None


def multiply_points(server: Server, key: int, rows: int) -> None:
    """Copy a session's only point to x = 1, 2, 3, ... without updating statistics and summaries."""
    names = [column.name for column in points.columns]
    values = ", ".join("n" if name in ("x", "sequence") else name for name in names)
    with database(server) as connection:
        connection.execute(
            text(
                "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :last) "
                f"INSERT INTO points ({', '.join(names)}) SELECT {values} FROM numbers, points "
                "WHERE session_key = :key"
            )
            if connection.dialect.name == "sqlite"
            else text(
                f"INSERT INTO points ({', '.join(names)}) SELECT {values} FROM points, "
                "generate_series(1, CAST(:last AS integer)) AS numbers (n) WHERE session_key = :key"
            ),
            {"key": key, "last": rows - 1},
        )
