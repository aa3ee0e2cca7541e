"""Insert rows directly into a server's database that neither API nor pages can create."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from losswise_server.db.urls import normalize_url, sqlite_url
from sqlalchemy import Connection, create_engine, insert

from tests.support.server import Server


@contextmanager
def adding(server: Server) -> Iterator[tuple[Callable[..., Any], Connection]]:
    """A function that adds a row of a model and returns its key, and the connection, in one transaction."""
    engine = create_engine(normalize_url(server.database_url) if server.database_url else sqlite_url(server.data_dir))
    with engine.begin() as connection:

        def add(model: Any, **values: Any) -> Any:
            key = connection.execute(insert(model.__table__).values(**values)).inserted_primary_key
            assert key is not None
            return key[0]

        yield add, connection
    engine.dispose()
