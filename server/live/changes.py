"""What is committed is told: which session went from which version to which.

Each ingest raises its session's version. On SQLite the one process that there is hears it here; on PostgreSQL every
process of every host hears it by NOTIFY (listener.py). What becomes of it is hub.py's business.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, text

from ..db.engine import is_sqlite
from ..extensions import db

CHANNEL = "losswise"
PAYLOAD_MOST = 7_500  # PostgreSQL's bound on a notification is 8,000 bytes

on_commit: list[Callable[[Change], None]] = []
"""Called with each change that this process commits, where it is the only process (SQLite)."""


@dataclass
class Change:
    """A session went from version `before` to `version`.

    Its new points are those with `first_arrival` <= number of arrival < `arrivals`, which is how many have arrived
    with the change and before it. graphs: {number: [graph id, lowest x, highest x of the new points]}; None where
    they are too many to name, or are not known.
    """

    session: str
    session_key: int
    project: int
    before: int
    version: int
    first_arrival: int = 0
    arrivals: int = 0
    graphs: dict[str, list[Any]] | None = field(default_factory=dict)
    rewound: bool = False
    deleted: bool = False

    @classmethod
    def read(cls, payload: str) -> Change:
        """What a worker of this version, or of one shortly before or after it, has told.

        Raises ValueError where it does not say which session went from where to where.
        """
        told = json.loads(payload)
        names = {field.name: field for field in fields(cls)}
        if not isinstance(told, dict) or not told.keys() >= {"session", "session_key", "project", "before", "version"}:
            raise ValueError(f"not a session's change: {payload[:100]}")
        change = cls(**{name: value for name, value in told.items() if name in names})
        if not told.keys() >= names.keys() or not _are_named(change.graphs):
            change.graphs = None
        return change

    def join(self, other: Change) -> None:
        """Take in a change that comes right after this one, or right before it.

        Where it does not, what lies between is not known: changes may come out of turn, and they may be lost.
        """
        is_next = other.before == self.version or other.version == self.before
        self.version = max(self.version, other.version)
        self.before = min(self.before, other.before)
        self.first_arrival = min(self.first_arrival, other.first_arrival)
        self.arrivals = max(self.arrivals, other.arrivals)
        self.rewound |= other.rewound
        self.deleted |= other.deleted
        if self.graphs is None or other.graphs is None or not is_next:
            self.graphs = None
            return
        for number, (graph, lowest, highest) in other.graphs.items():
            _, least, greatest = self.graphs.get(number, (graph, lowest, highest))
            self.graphs[number] = [graph, min(lowest, least), max(highest, greatest)]

    def payload(self) -> str:
        payload = json.dumps(asdict(self))
        if len(payload) > PAYLOAD_MOST:
            payload = json.dumps({**asdict(self), "graphs": None})
        return payload


def _are_named(graphs: Any) -> bool:
    return isinstance(graphs, dict) and all(isinstance(named, list) and len(named) == 3 for named in graphs.values())


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
