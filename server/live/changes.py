"""Change notifications: which session went from which version to which.

Each committed batch raises its session's version and announces that: on SQLite within this process, which is the only
one; on PostgreSQL to the processes of all hosts, by NOTIFY (received by pg_listener.py). The hub turns changes into
events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, text

from ..db.engine import is_sqlite
from ..extensions import db

CHANNEL = "losswise"
MAX_PAYLOAD_BYTES = 7_500  # PostgreSQL's limit for a notification is 8,000
REQUIRED_FIELDS = ("session", "session_key", "project", "before", "version")
# Of one transaction. More are not announced one by one: the pages of their projects refetch.
MAX_ANNOUNCED = 100

# Called with each change that this process commits, if it is the only process (SQLite).
on_commit: list[Callable[[Change | ProjectChange], None]] = []


@dataclass
class Change:
    """A session went from version `before` to `version`.

    Attributes:
        first_sequence, next_sequence: the new points are those with first_sequence <= sequence number < next_sequence.
            A session's points are numbered in order of arrival.
        graphs: {graph number: [graph id, lowest x, highest x of the new points]}; None if they are too many to name, or
            unknown.
        rewound: points were deleted.
        deleted: the session was deleted, or moved to another project.
    """

    session: str
    session_key: int
    project: int
    before: int
    version: int
    first_sequence: int = 0
    next_sequence: int = 0
    graphs: dict[str, list[Any]] | None = field(default_factory=dict)
    rewound: bool = False
    deleted: bool = False

    @classmethod
    def read(cls, payload: str) -> Change:
        """Decode a notification of a worker of this version or of a neighbouring one (during a rolling update).

        Fields that are unknown here are ignored. If one is missing, the graphs count as unknown, so pages refetch.

        Raises:
            ValueError: the payload is not a change.
        """
        payload_fields = json.loads(payload)
        names = {field.name for field in fields(cls)}
        if not isinstance(payload_fields, dict) or not payload_fields.keys() >= set(REQUIRED_FIELDS):
            raise ValueError(f"not a session's change: {payload[:100]}")
        change = cls(**{name: value for name, value in payload_fields.items() if name in names})
        if not payload_fields.keys() >= names or not _are_named(change.graphs):
            change.graphs = None
        return change

    def join(self, other: Change) -> None:
        """Merge a change of the same session into this one.

        Changes may arrive out of order, and may be lost. Unless the two are adjacent, what lies between is unknown, so
        the graphs are unknown too.
        """
        is_adjacent = other.before == self.version or other.version == self.before
        if other.version > self.version:  # a session that was moved away may have been moved back
            self.deleted = other.deleted
        self.version = max(self.version, other.version)
        self.before = min(self.before, other.before)
        self.first_sequence = min(self.first_sequence, other.first_sequence)
        self.next_sequence = max(self.next_sequence, other.next_sequence)
        self.rewound |= other.rewound
        if self.graphs is None or other.graphs is None or not is_adjacent:
            self.graphs = None
            return
        for number, (graph, lowest, highest) in other.graphs.items():
            _, own_lowest, own_highest = self.graphs.get(number, (graph, lowest, highest))
            self.graphs[number] = [graph, min(lowest, own_lowest), max(highest, own_highest)]

    def payload(self) -> str:
        """Encode the change as a notification. Graphs that do not fit are left out."""
        payload = json.dumps(asdict(self))
        if len(payload) > MAX_PAYLOAD_BYTES:
            payload = json.dumps({**asdict(self), "graphs": None})
        return payload


@dataclass(frozen=True)
class ProjectChange:
    """So many sessions of a project have changed that its pages request again what they show."""

    refetch_project: int

    def payload(self) -> str:
        return json.dumps(asdict(self))


def read_notification(payload: str) -> Change | ProjectChange:
    """Decode a notification.

    Raises:
        ValueError: it is neither a session's change nor a project's.
    """
    decoded = json.loads(payload)
    if isinstance(decoded, dict) and isinstance(decoded.get("refetch_project"), int):
        return ProjectChange(decoded["refetch_project"])
    return Change.read(payload)


def announced(changes: Sequence[Change]) -> list[Change | ProjectChange]:
    """What to notify of: the changes of one transaction, or, if they are many, their projects."""
    if len({change.session_key for change in changes}) <= MAX_ANNOUNCED:
        return list(changes)
    return [ProjectChange(project) for project in sorted({change.project for change in changes})]


def _are_named(graphs: Any) -> bool:
    return isinstance(graphs, dict) and all(isinstance(named, list) and len(named) == 3 for named in graphs.values())


def notify(connection: Connection, change: Change | ProjectChange) -> None:
    """Within the transaction: notify all processes when it commits (PostgreSQL)."""
    if not is_sqlite(connection):
        connection.execute(
            text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": change.payload()}
        )


def committed(change: Change | ProjectChange) -> None:
    """After the transaction: notify this process, if it is the only one (SQLite)."""
    if is_sqlite(db.engine):
        for callback in on_commit:
            callback(change)
