"""Change notifications: which session went from which version to which.

Each committed batch raises its session's version and announces that: on SQLite within this process, which is the only
one; on PostgreSQL to the processes of all hosts, by NOTIFY (received by pg_listener.py). The hub turns changes into
events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from sqlalchemy import Connection, text

from ..db.engine import is_sqlite
from ..extensions import db
from .graph_runs import Ends, numbers_of, pack, runs_of, unpack, widened

CHANNEL = "losswise"
MAX_PAYLOAD_BYTES = 7_500  # PostgreSQL's limit for a notification is 8,000
REQUIRED_FIELDS = ("session", "session_key", "project", "before", "version")
# Of one transaction. More are not announced one by one: the pages of their projects refetch.
MAX_ANNOUNCED = 100

# What of a session may take many kilobytes, beside its graphs.
LARGE_FIELDS = ("params", "values")

# Called with each change that this process commits, if it is the only process (SQLite).
on_commit: list[Callable[[Change | ProjectChange], None]] = []


@dataclass
class Change:
    """A session went from version `before` to `version`.

    Attributes:
        first_sequence, next_sequence: the new points are those with first_sequence <= sequence number < next_sequence.
            A session's points are numbered in order of arrival.
        graphs: {graph number: (lowest x, highest x of the new points)}; None if they are too many to name, or unknown.
            Other graphs have the statistics that they had.
        described: the numbers of graphs that are new, or have other labels.
        fields: which of LARGE_FIELDS have changed.
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
    graphs: dict[int, Ends] | None = field(default_factory=dict)
    described: frozenset[int] = frozenset()
    fields: frozenset[str] = frozenset()
    rewound: bool = False
    deleted: bool = False

    @classmethod
    def read(cls, payload: str) -> Change:
        """Decode a notification of a worker of this version or of a neighbouring one (during a rolling update).

        Fields that are unknown here are ignored. If one is missing, the graphs count as unknown, so pages refetch.

        Raises:
            ValueError: the payload is not a change.
        """
        told = json.loads(payload)
        if not isinstance(told, dict) or not told.keys() >= set(REQUIRED_FIELDS):
            raise ValueError(f"not a session's change: {payload[:100]}")
        try:
            parts: dict[str, Any] = {
                "graphs": unpack(told["ranges"]),
                "described": frozenset(numbers_of(told["described"])),
                "fields": frozenset(told["fields"]),
            }
        except (KeyError, TypeError, ValueError):
            parts = {"graphs": None}
        names = {field.name for field in fields(cls)} - {"graphs", "described", "fields"}
        change = cls(**{name: value for name, value in told.items() if name in names}, **parts)
        if not told.keys() >= names:
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
        self.described |= other.described
        self.fields |= other.fields
        if self.graphs is None or other.graphs is None or not is_adjacent:
            self.graphs = None
            return
        for number, (lowest, highest) in other.graphs.items():
            own_lowest, own_highest = self.graphs.get(number, (lowest, highest))
            self.graphs[number] = min(lowest, own_lowest), max(highest, own_highest)

    def copy(self) -> Change:
        """A change that can be joined with others without changing this one."""
        return replace(self, graphs=None if self.graphs is None else dict(self.graphs))

    def payload(self) -> str:
        """Encode the change as a notification. Graphs that do not fit have the ends of all, or are left out."""
        scalars = {field.name: getattr(self, field.name) for field in fields(self)}
        graphs, described = scalars.pop("graphs"), scalars.pop("described")
        scalars["fields"] = sorted(self.fields)
        if graphs is not None:
            for named in (graphs, widened(graphs) if graphs else {}):
                told = {**scalars, "ranges": pack(named), "described": runs_of(described)}
                payload = json.dumps(told, separators=(",", ":"))
                if len(payload) <= MAX_PAYLOAD_BYTES:
                    return payload
        return json.dumps({**scalars, "ranges": None, "described": []})


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
