"""The server's application in this process, on a database, for tests without HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from losswise_server import create_app
from losswise_server.accounts.permissions import Access
from losswise_server.config import load_settings
from losswise_server.db.models import Project
from losswise_server.extensions import db
from losswise_server.ingest import pipeline
from losswise_server.ingest.decoding import convert_records
from losswise_server.ingest.schema import Batch
from losswise_server.setup.first_start import prepare
from losswise_server.setup.upgrade import upgrade_schema
from sqlalchemy import event

from losswise.protocol import records


@contextmanager
def application(folder: Path, database_url: str | None) -> Iterator[Flask]:
    """The application, its database up to date, within its context."""
    app = create_app(load_settings(str(folder), database_url, {}))
    upgrade_schema(app)
    with app.app_context():
        prepare({"LW_API_KEY": "lw_in_process"})
        yield app
        db.session.remove()
        db.engine.dispose()


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """The SELECT, INSERT, UPDATE and DELETE statements that the application executes meanwhile."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


class DirectWriting:
    """A writer of a new session that calls the ingest pipeline."""

    def __init__(self) -> None:
        project = db.session.query(Project).first()
        everything = frozenset({project.organization_id})
        self.access = Access(everything, everything, project.organization_id, project.id)
        self.session, self.writer, self.seq = records.new_id(), records.new_id(), 0
        self.send(records.session_record(tag="direct", created_at=time.time()))

    def send(self, *batch: dict[str, Any], writer: str | None = None) -> None:
        self.seq += len(batch)
        records_ = convert_records(list(batch))
        pipeline.apply(Batch(self.session, records_, writer or self.writer, self.seq), self.access)

    def graph(self, title: str = "loss") -> str:
        id_ = records.graph_id(self.session, title)
        self.send(records.graph_record(id_, title))
        return id_
