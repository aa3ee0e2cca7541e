"""A session while records are applied to it: loaded from its row, changed, and saved once at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, bindparam, insert, select, update

from losswise.protocol.limits import MAX_GRAPHS
from losswise.protocol.records import graph_id

from ..db.models import Graph, Session
from ..exceptions import BadBatch, BadRecord
from ..live.changes import Change
from ..points import rewind, statistics
from ..points.columns import of_record
from ..points.incoming import NewPoints
from ..points.store import Lines, Place
from ..points.summaries import Seal
from ..sessions import progress, status
from ..sessions.images import apply_image
from ..sessions.metadata import merge_metadata
from ..sessions.texts import apply_text
from .schema import (
    Batch,
    GraphRecord,
    ImageRecord,
    PointsRecord,
    Record,
    RewindRecord,
    SessionRecord,
    StatusRecord,
    TextRecord,
    ValuesRecord,
)
from .writers import load_writers, save_writer

CHANGED_IN_PLACE = ("graph_stats", "summary_states")
_GRAPHS = select(Graph.__table__).where(Graph.session_key == bindparam("session_key"))


class SessionState:
    """Applies records of one session within one transaction.

    `row` is the session's row; what changes in it is written by `save`, together with the points gathered.
    `created` says that it was made in this transaction.
    """

    def __init__(self, connection: Connection, row: dict[str, Any], now: float, created: bool) -> None:
        self.connection = connection
        self.row = row
        self.now = now
        self.created = created
        self.before = dict(row)
        self.key: int = row["key"]
        self.replay = False
        self.changed = False
        self.rewound = False
        self.ended = False
        self.new_points = NewPoints(connection, self.key)
        self.places: list[tuple[float, int]] = []
        # of each graph that got points: the lowest and highest x among them, for the pages that show it
        self.lowest_x: dict[int, int] = {}
        self.highest_x: dict[int, int] = {}
        self._graphs: dict[str, dict[str, Any]] | None = None
        self._apply: dict[type[Record], Callable[[Any], None]] = {
            SessionRecord: self._session,
            GraphRecord: self._graph,
            PointsRecord: self._points,
            ValuesRecord: self._values,
            TextRecord: self._text,
            ImageRecord: self._image,
            RewindRecord: self._rewind,
            StatusRecord: self._status,
        }

    @staticmethod
    def empty() -> dict[str, Any]:
        """The columns of a new session that records fill."""
        return {
            "tag": "",
            "tags": [],
            "params": {},
            "values": {},
            "search": "",
            "dropped": 0,
            "points": 0,
            "next_sequence": 0,
            "pace": [],
            "stats": {},
            "graph_stats": {},
            "rewinds": [],
            "summary_states": {},
            "version": 0,
        }

    def apply(self, batch: Batch) -> int:
        """Apply the records that the writer's number says are new; returns the writer's last number.

        Raises BadBatch, which names every record that cannot be applied.
        """
        records, seq = batch.records, batch.seq
        self.replay = batch.replay
        self.writers = load_writers(self.connection, self.key) if batch.writer else {}
        self.writer = self._writer(batch.writer, records) if batch.writer else None
        last = self.writer.last_seq if self.writer else 0
        known = 0
        if seq is not None and self.writer is not None:
            known = max(0, last - (seq - len(records)))
            last = max(last, seq)
            self.writer.last_seq = last
        self._heard()
        self._apply_records(records, known)
        if self.writer is not None:
            save_writer(self.connection, self.key, self.writer)
            self._settle()
        return last

    def _apply_records(self, records: list[Record], known: int) -> None:
        """Apply the records from number `known` on. A bad one changes nothing, so the others are still looked at: the
        answer names them all."""
        errors: list[tuple[int, str]] = []
        for index in range(known, len(records)):
            record = records[index]
            try:
                self._apply[type(record)](record)
            except BadRecord as error:
                errors.append((index, str(error)))
            self.changed = True
        if errors:
            raise BadBatch(errors, len(records))

    def _writer(self, id_: str, records: list[Record]) -> status.WriterState:
        writer = self.writers.get(id_)
        # a replayed writer is not heard now: it lived when its records were made
        times = [min(t, self.now) for t in _times(records)] if self.replay else []
        if writer is None:
            if self.replay:
                started_at = min(times, default=self.row["created_at"])
            else:
                started_at = min([self.now, *(t for r in records if isinstance(r, PointsRecord) for t in r.t[:1])])
            writer = status.WriterState(id_, 0, started_at, started_at)
            self.writers[id_] = writer
        if writer.status is None:
            writer.last_seen_at = max([writer.last_seen_at, *times]) if self.replay else self.now
        return writer

    def _heard(self) -> None:
        row = self.row
        if self.replay:
            if row["status"] == "active" and row["last_seen_at"] < status.stale_before(self.now):
                row.update(status.stale_status(row))  # a replay does not bring a stale session back
            return
        if self.writer is not None and self.writer.status is not None:
            return  # the resend of its end, or what it says after that: it need not live
        row["last_seen_at"] = self.now
        if self.writer is not None or (row["status"], row["reason"]) == ("cancelled", "silent"):
            self._activate()

    def _settle(self) -> None:
        """The session's status after a batch of one of its writers, and what it will be when it is silent."""
        row = self.row
        end = status.ending(self.writers.values())
        columns = dict(zip(status.ENDING_COLUMNS, end or (None,) * 4, strict=True))
        self.changed |= any(row[name] != value for name, value in columns.items())
        row.update(columns)
        unended = [writer for writer in self.writers.values() if writer.status is None]
        last_seen_at = max((writer.last_seen_at for writer in unended), default=row["last_seen_at"])
        if self.replay and last_seen_at > row["last_seen_at"]:
            row["last_seen_at"] = last_seen_at
            self.changed = True
        is_fresh = any(writer.last_seen_at >= self.now - status.STALE_AFTER_S for writer in unended)
        if self.replay and is_fresh and row["reason"] == "silent":
            self._activate()  # an offline script that is synced while it runs: its own times say that it lives
        if row["status"] == "active":
            if not self.ended:
                return
            if any(writer.lives(self.now) for writer in unended):
                row["last_seen_at"] = last_seen_at  # not this end counts, but when those were heard that may live
                return
        elif not self.ended and not self.replay:
            return
        if end is not None or row["reason"] == "silent":  # else a v1 client has said how it ended
            row["status"], row["reason"], row["ended_at"] = status.settled(end, row["last_seen_at"])

    def _activate(self) -> None:
        """A live writer goes on with a session that had ended."""
        if self.row["status"] != "active":
            self.row.update(status="active", reason=None, ended_at=None)
            self.changed = True

    def _live_writer(self) -> bool:
        return self.writer is not None and not self.replay

    # one method a record type

    def _session(self, record: SessionRecord) -> None:
        row = self.row
        for column, value in (("tag", record.tag), ("group_name", record.group), ("max_iter", record.max_iter)):
            if value is not None:
                row[column] = value
        if record.tags is not None:
            row["tags"] = list(dict.fromkeys(record.tags))
        if record.params:
            row["params"] = {**row["params"], **record.params}
        merge_metadata(self.connection, self.key, {"git": record.git, "env": record.env, "info": record.info})
        if self._live_writer():
            self._activate()

    @property
    def graphs(self) -> dict[str, dict[str, Any]]:
        """The session's graphs by id."""
        if self._graphs is None:
            rows = self.connection.execute(_GRAPHS, {"session_key": self.key}).mappings()
            self._graphs = {row["id"]: dict(row) for row in rows}
        return self._graphs

    def _graph(self, record: GraphRecord) -> None:
        if record.id != graph_id(self.row["id"], record.title):
            raise BadRecord("a graph's id must be made from its session's id and its title")
        table = Graph.__table__
        known = self.graphs.get(record.id)
        fields = {"title": record.title, "xlabel": record.xlabel or "", "ylabel": record.ylabel or ""}
        if known is None:
            if len(self.graphs) >= MAX_GRAPHS:
                raise BadRecord(f"a session has at most {MAX_GRAPHS} graphs; this is one too many")
            number = max((graph["number"] for graph in self.graphs.values()), default=0) + 1
            known = {"session_key": self.key, "number": number, "id": record.id, **fields}
            known |= {"kind": record.kind, "names": [], "name_sets": []}
            self.connection.execute(insert(table).values(**known))
            self.graphs[record.id] = known
            return
        merged = {name: known[name] or value for name, value in fields.items()}
        merged["kind"] = known["kind"] or record.kind
        known.update(merged)
        where = (table.c.session_key == self.key) & (table.c.number == known["number"])
        self.connection.execute(update(table).where(where).values(**merged))

    def _graph_of(self, id_: str) -> dict[str, Any]:
        if id_ not in self.graphs:
            raise BadRecord(f"this session has no graph {id_}: send its record first")
        return self.graphs[id_]

    def _points(self, record: PointsRecord) -> None:
        if not record.x:
            return
        graph = self._graph_of(record.graph)
        columns = of_record(record.x, record.t, record.y)
        for after, until, rewound, *writer in self.row["rewinds"]:
            # what the rewind's own writer says after it is new, whatever its clock says
            if rewound in (None, record.graph) and not (self.writer and writer == [self.writer.id]):
                columns = columns.where((columns.x <= after) | (columns.t > until))
        if self._live_writer():
            self._revive()
        count = len(columns.x)
        if not count:
            return
        number, lowest = graph["number"], int(columns.x.min())
        self.new_points.add(graph, columns, self.row["next_sequence"])
        self.row["next_sequence"] += count
        self.row["points"] += count
        self.lowest_x[number] = min(lowest, self.lowest_x.get(number, lowest))
        of_graph = self.row["graph_stats"].setdefault(str(number), {})
        for name, column in columns.y.items():
            stat = statistics.add_column(of_graph.get(name), columns.x, column)
            if stat["count"]:
                of_graph[name] = stat
        greatest = int(columns.x.max())
        self.highest_x[number] = max(greatest, self.highest_x.get(number, greatest))
        self.row["last_x"] = greatest if self.row["last_x"] is None else max(greatest, self.row["last_x"])
        if not self.replay:
            self.places += progress.progress_samples(columns.t, columns.x)

    def _revive(self) -> None:
        """Points of a live writer: it lives, and so does its session."""
        if self.writer is not None and self.writer.status is not None:
            self.writer.status, self.writer.reason, self.writer.ended_at = None, None, None
            self.writer.last_seen_at = self.row["last_seen_at"] = self.now
        self.ended = False
        self._activate()

    def _values(self, record: ValuesRecord) -> None:
        self.row["values"] = {**self.row["values"], **record.values}

    def _text(self, record: TextRecord) -> None:
        apply_text(self.connection, self.key, structs.asdict(record))

    def _image(self, record: ImageRecord) -> None:
        apply_image(self.connection, self.key, structs.asdict(record))

    def _rewind(self, record: RewindRecord) -> None:
        self._flush_points()
        after, until, graph = record.after, record.t, record.graph
        writer = self.writer.id if self.writer else None
        self.row["rewinds"] = remember(self.row["rewinds"], [after, until, graph, writer])
        graphs = self.graphs.values() if graph is None else [self._graph_of(graph)]
        for known in graphs:
            self._take_back(known, after, until)
        self.row["last_x"] = statistics.greatest_x(self.row["graph_stats"])
        self.row["pace"], self.places = [], []
        self.rewound = True

    def _take_back(self, graph: dict[str, Any], after: int, until: float) -> None:
        number = str(graph["number"])
        stats = self.row["graph_stats"].get(number, {})
        seal = Seal.load(self.row["summary_states"].get(number))
        place = Place(self.connection, self.key, graph["number"], Lines(graph["names"], graph["name_sets"]))
        taken = rewind.take_back(place, seal, stats, after, until)
        if taken is None:
            return
        self.row["points"] -= taken.gone
        self.row["graph_stats"][number] = taken.stats
        self.row["summary_states"][number] = taken.seal.dump()

    def _status(self, record: StatusRecord) -> None:
        at = record.t or self.now
        if record.dropped:
            self.row["dropped"] += record.dropped
        if record.error:
            merge_metadata(self.connection, self.key, {"error": record.error})
        if record.status == "active":
            if not self.replay and self.writer is not None:
                self._revive()
            return
        if self.writer is None:  # a v1 client: there is no other
            self.row.update(status=record.status, reason=record.reason, ended_at=at)
            return
        self.writer.status, self.writer.reason = record.status, record.reason
        self.writer.ended_at = at
        self.ended = True

    # saving

    def _flush_points(self) -> None:
        """Write the points gathered, and seal what is due."""
        self.new_points.store(self.row["summary_states"])

    def save(self) -> Change | None:
        """Write the session's row; returns what changed, for the pages that show it (None: nothing seen)."""
        table = Session.__table__
        where = table.c.key == self.key
        if not self.changed:
            if self.row["last_seen_at"] != self.before["last_seen_at"]:
                self.connection.execute(update(table).where(where).values(last_seen_at=self.row["last_seen_at"]))
            return None
        first_arrival = self.before["next_sequence"]
        self._flush_points()
        row = self.row
        titles = {str(graph["number"]): graph["title"] for graph in self.graphs.values()}
        row["stats"] = statistics.by_name(row["graph_stats"], titles)
        row["pace"] = progress.add_pace(row["pace"], self.places)
        row["eta"] = progress.estimate(row["pace"], row["max_iter"], self.now) if row["status"] == "active" else None
        row["search"] = search_text(row)
        row["updated_at"] = self.now
        row["version"] += 1
        self.connection.execute(update(table).where(where).values(self._changes()))
        by_number = {graph["number"]: graph["id"] for graph in self.graphs.values()}
        return Change(
            session=row["id"],
            session_key=self.key,
            project=row["project_id"],
            before=row["version"] - 1,
            version=row["version"],
            first_arrival=first_arrival,
            arrivals=row["next_sequence"],
            graphs={str(number): [by_number[number], x, self.highest_x[number]] for number, x in self.lowest_x.items()},
            rewound=self.rewound,
        )

    def _changes(self) -> dict[Any, Any]:
        """The columns that differ from the stored ones."""
        stale = CHANGED_IN_PLACE if self.lowest_x or self.rewound else ()
        return {
            Session.__table__.c[name]: value
            for name, value in self.row.items()
            if (name in stale if name in CHANGED_IN_PLACE else value != self.before[name])
        }


def _times(records: list[Record]) -> list[float]:
    """The times that records carry, by their writer's clock."""
    times: list[float] = []
    for record in records:
        if isinstance(record, PointsRecord):
            times += record.t
        elif isinstance(record, SessionRecord):
            times += [] if record.created_at is None else [record.created_at]
        elif isinstance(record, (RewindRecord, StatusRecord)):
            times += [] if record.t is None else [record.t]
    return times


def search_text(row: dict[str, Any]) -> str:
    """What the search field looks through: tag, group, tags and params, in lower case."""
    words = [row["tag"], row["group_name"] or "", *row["tags"], *_flat(row["params"])]
    return "\n".join(words).lower()[:20_000]


def _flat(params: dict[str, Any], prefix: str = "") -> list[str]:
    lines: list[str] = []
    for name, value in params.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{prefix}{name}.")
        else:
            lines.append(f"{prefix}{name}={value}")
    return lines


REMEMBERED = 1_000
"""Rewinds that a session keeps, the newest: each new point of another writer is compared with all of them."""


def remember(rewinds: list[list[Any]], new: list[Any]) -> list[list[Any]]:
    """The rewinds, [x, time, graph, writer] each, with another one, and without those of its writer that take back
    nothing that it does not."""
    after, until, graph, writer = new
    kept = [
        known
        for known in rewinds
        if not (known[3:] == [writer] and graph in (None, known[2]) and known[0] >= after and known[1] <= until)
    ]
    return [*kept, new][-REMEMBERED:]
