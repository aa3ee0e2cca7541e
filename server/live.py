"""What is committed is told: which session went from which version to which.

Each ingest raises its session's version. On SQLite the one process that there is hears it here; on PostgreSQL every
process of every host hears it by NOTIFY (listener.py). What becomes of it is hub.py's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from .database import is_sqlite
from .extensions import db

CHANNEL = "losswise"
PAYLOAD_MOST = 7_500  # PostgreSQL's bound on a notification is 8,000 bytes

on_commit: list[Callable[[Change], None]] = []
"""Called with each change that this process commits, where it is the only process (SQLite)."""


@dataclass
class Change:
    """A session went from version `before` to `version`; its new points came from `first_arrival` on.

    graphs: {number: [graph id, lowest x among the new points]}; None where there are too many to name.
    """

    session: str
    session_key: int
    project: int
    before: int
    version: int
    first_arrival: int = 0
    graphs: dict[str, list[Any]] | None = field(default_factory=dict)
    rewound: bool = False
    deleted: bool = False

    def join(self, later: Change) -> None:
        self.version = max(self.version, later.version)
        self.before = min(self.before, later.before)
        self.first_arrival = min(self.first_arrival, later.first_arrival)
        self.rewound |= later.rewound
        self.deleted |= later.deleted
        if self.graphs is None or later.graphs is None:
            self.graphs = None
            return
        for number, (graph, x) in later.graphs.items():
            known = self.graphs.get(number)
            self.graphs[number] = [graph, x if known is None else min(x, known[1])]

    def payload(self) -> str:
        payload = json.dumps(asdict(self))
        if len(payload) > PAYLOAD_MOST:
            payload = json.dumps({**asdict(self), "graphs": None})
        return payload


def notify(connection: Connection, change: Change) -> None:
    """Within the transaction: tell every process once it commits (PostgreSQL)."""
    if not is_sqlite(connection):
        connection.execute(
            text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": change.payload()}
        )


def committed(change: Change) -> None:
    """After the transaction: tell this process, where it is the only one (SQLite)."""
    if is_sqlite(db.engine):
        for tell in on_commit:
            tell(change)
