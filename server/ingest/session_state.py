"""A session while records are applied to it: loaded from its row, changed, and saved once at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs
from sqlalchemy import Connection, update

from losswise.protocol.limits import INT64_MAX, MAX_PARAMS_BYTES, MAX_VALUES_BYTES

from ..db.models import Session
from ..exceptions import BadBatch, BadRecord
from ..live.changes import LARGE_FIELDS, Change
from ..sessions import labels
from ..sessions.bounded_map import BoundedMap
from ..sessions.change_numbers import next_change
from ..sessions.images import insert_images
from ..sessions.metadata import MetadataChanges
from ..sessions.origin import origin
from ..sessions.refusals import apply_refusals
from ..sessions.search import search_text
from ..sessions.status import BatchEvent, WriterState, next_status
from ..sessions.texts import TextChanges
from .graph_state import MAX_LATE_PAGES_OF_RECORD, GraphState
from .rewinds import plan_deletion
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
from .writers import load_writers, number_writer, save_writer

# dictionaries that are changed in place, so that the row as it was before cannot be compared
CHANGED_IN_PLACE = ("graph_stats", "summary_states")


# what a rewind deletes in the transaction of its batch, with everything else
FEW_POINTS = 50_000
FEW_GRAPHS = 100


class SessionState:
    """Applies records of one session within one transaction.

    Records are applied in memory, in time linear in their number. `save` then writes what they have changed.

    Args:
        row: the session's row; `save` writes what has changed in it.
        now: unix seconds.
        created: whether the session was created in this transaction.
    """

    def __init__(self, connection: Connection, row: dict[str, Any], now: float, created: bool) -> None:
        self.connection = connection
        self.row = row
        self.now = now
        self.created = created
        self.key: int = row["key"]
        self.graphs = GraphState(connection, row)
        self.writer: WriterState | None = None
        self._texts = TextChanges()
        self._metadata = MetadataChanges(connection, self.key)
        self._images: list[dict[str, Any]] = []
        self._params: BoundedMap | None = None
        self._values: BoundedMap | None = None
        self._before = dict(row)
        self._changed = False
        self._is_replay = False
        self._has_session = self._is_revived = self._is_end = False
        self._apply: dict[type[Record], Callable[[Any], None]] = {
            SessionRecord: self._apply_session,
            GraphRecord: self.graphs.add_graph,
            PointsRecord: self._apply_points,
            ValuesRecord: self._apply_values,
            TextRecord: self._apply_text,
            ImageRecord: self._apply_image,
            RewindRecord: self._apply_rewind,
            StatusRecord: self._apply_status,
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
            "refused": 0,
            "points": 0,
            "next_sequence": 0,
            "pace": [],
            "stats": {},
            "graph_stats": {},
            "rewinds": [],
            "kept": {},
            "summary_states": {},
            "version": 0,
        }

    def apply(self, batch: Batch) -> int:
        """Apply the batch's records that are new; returns the number of its writer's last record.

        Exactly once: a client sends a batch again until it is acknowledged, perhaps joined with others or cut in two.
        The writer's row holds the number of its last record that was applied, and is written in the same transaction
        as what the records change. Records up to that number are skipped. Numbers may have gaps, where a client has
        set bad records aside.

        Raises BadBatch, which names every record that cannot be applied.
        """
        records = batch.records
        self._is_replay = batch.replay
        writers = load_writers(self.connection, self.key) if batch.writer else {}
        was_ended = False
        last = skipped = 0
        if batch.writer:
            self.writer = writers.get(batch.writer) or self._new_writer(batch.writer, records)
            writers[batch.writer] = self.writer
            number_writer(self.writer, writers.values())
            self.graphs.begin(self.writer, writers, self._is_replay)
            was_ended = self.writer.status is not None
            self._note_seen(self.writer, records)
            last = self.writer.last_seq
            if batch.seq is not None:
                skipped = max(0, last - (batch.seq - len(records)))
                last = self.writer.last_seq = max(last, batch.seq)
        if len(records) == 1:
            self.graphs.max_late_pages = MAX_LATE_PAGES_OF_RECORD
        self._apply_records(records, skipped, first=(batch.seq or 0) - len(records) + 1)
        self._apply_refusals(batch)
        if self.writer is not None:
            save_writer(self.connection, self.key, self.writer)
        event = BatchEvent(
            writer=self.writer,
            is_replay=self._is_replay,
            was_ended=was_ended,
            has_session=self._has_session,
            is_revived=self._is_revived,
            is_end=self._is_end,
        )
        self._set_status(next_status(self.row, writers.values(), event, self.now))
        return last

    def rewind_early(self, batch: Batch, ends_at: float) -> bool:
        """Delete what the batch's rewinds delete, until a time (time.monotonic); call `save` then.

        Returns whether nothing is left, or little. True also if the batch has been applied already.
        """
        if self.row["points"] <= FEW_POINTS and len(self.graphs.by_id) <= FEW_GRAPHS:
            return True
        writers = load_writers(self.connection, self.key) if batch.writer else {}
        writer = writers.get(batch.writer or "")
        last = writer.last_seq if writer is not None else 0
        first = (batch.seq or 0) - len(batch.records) + 1
        is_done = True
        for number, record in enumerate(batch.records, first):
            if is_done and isinstance(record, RewindRecord) and number > last:
                deletion, _ = plan_deletion(self.connection, self.key, record, writer, writers, self.now)
                is_done = self.graphs.rewind_early(record, number, deletion, ends_at)
                self._changed |= self.graphs.is_rewound
        return is_done

    def _apply_records(self, records: list[Record], skipped: int, first: int) -> None:
        """Apply the records from index `skipped` on. `first` is the number of the first of all.

        The first bad record does not end the loop, so that the error names all of them. What the others have changed
        by then is rolled back.
        """
        errors: list[tuple[int, str]] = []
        for index in range(skipped, len(records)):
            record = records[index]
            self.graphs.record_number = first + index
            try:
                self._apply[type(record)](record)
            except BadRecord as error:
                errors.append((index, str(error)))
            self._changed = True
        if errors:
            raise BadBatch(errors, len(records))

    def _apply_refusals(self, batch: Batch) -> None:
        if batch.refused:
            more = apply_refusals(self.connection, self.key, batch.writer, batch.refused, self.now)
            self.row["refused"] += more or 0
            self._changed |= more is not None

    # writers and status

    def _new_writer(self, id_: str, records: list[Record]) -> WriterState:
        """A writer that was not known: it started at the latest when it recorded the first of these."""
        if self._is_replay:
            started_at = min(self._times(records), default=self.row["created_at"])
        else:
            started_at = min([self.now, *(t for r in records if isinstance(r, PointsRecord) for t in r.t[:1])])
        return WriterState(id_, 0, started_at, started_at, first_sequence=self.row["next_sequence"])

    def _note_seen(self, writer: WriterState, records: list[Record]) -> None:
        """A live writer was seen now, a replayed one when it made its records."""
        if writer.status is None:
            writer.last_seen_at = max([writer.last_seen_at, *self._times(records)]) if self._is_replay else self.now

    def _times(self, records: list[Record]) -> list[float]:
        """The times that records carry, by their writer's clock; none is later than now."""
        times: list[float] = []
        for record in records:
            if isinstance(record, PointsRecord):
                times += record.t
            elif isinstance(record, SessionRecord):
                times += [] if record.created_at is None else [record.created_at]
            elif isinstance(record, (RewindRecord, StatusRecord)):
                times += [] if record.t is None else [record.t]
        return [min(t, self.now) for t in times]

    def _revive(self) -> None:
        """A live writer goes on, although it may have ended before."""
        if self.writer is None or self._is_replay:
            return
        if self.writer.status is not None:
            self.writer.status, self.writer.reason, self.writer.ended_at = None, None, None
            self.writer.last_seen_at = self.now
        self._is_revived, self._is_end = True, False

    def _set_status(self, columns: dict[str, Any]) -> None:
        differing = {name for name, value in columns.items() if self.row[name] != value}
        # that a live writer was seen is no news for pages
        self._changed |= bool(differing if self._is_replay else differing - {"last_seen_at"})
        self.row.update(columns)

    # one method per record type

    def _apply_session(self, record: SessionRecord) -> None:
        row = self.row
        for column, value in (("group_name", record.group), ("max_iter", record.max_iter)):
            if value is not None:
                row[column] = value
        if record.tag is not None:
            row.update(labels.with_recorded_tag(row, record.tag))
        if record.tags is not None:
            row.update(labels.with_recorded_tags(row, record.tags))
        if record.params:
            self._params = self._params or BoundedMap(row["params"], MAX_PARAMS_BYTES)
            self._params.update_with_cuts(record.params)
        row.update(origin(record.git, record.env))
        self._metadata.merge({"git": record.git, "env": record.env, "info": record.info})
        self._has_session = True

    def _apply_points(self, record: PointsRecord) -> None:
        if record.x:
            self.graphs.add_points(record)
            self._revive()

    def _apply_values(self, record: ValuesRecord) -> None:
        if record.values:  # a client sends none in the place of a record that was rejected
            self._merge_values(record.values)
        if record.mark is not None:
            self.graphs.mark(record.mark, record.t)
        if record.steps is not None and record.t is not None:
            self.graphs.tell_steps(record.steps, record.t)

    def _merge_values(self, values: dict[str, Any]) -> None:
        self._values = self._values or BoundedMap(self.row["values"], MAX_VALUES_BYTES)
        if self.row["protocol"] == 1:  # such a client has no other way to send them
            self._values.update_with_cuts(values)
        elif not self._values.update(values):
            raise BadRecord(
                f"the values of a session take at most {MAX_VALUES_BYTES:,} bytes of JSON; these are too many"
            )

    def _apply_text(self, record: TextRecord) -> None:
        self._texts.add(record.name, record.x, record.text, bool(record.append))

    def _apply_image(self, record: ImageRecord) -> None:
        self._images.append(structs.asdict(record))

    def _apply_rewind(self, record: RewindRecord) -> None:
        self.graphs.rewind(record, self.now)

    def _apply_status(self, record: StatusRecord) -> None:
        if record.dropped:
            self.row["dropped"] = min(self.row["dropped"] + record.dropped, INT64_MAX)
        if record.error:
            self._metadata.set_error(record.error)
        if record.status == "active":
            self._revive()
            return
        ended: Any = {"status": record.status, "reason": record.reason, "ended_at": record.t or self.now}
        if self.writer is None:  # a v1 client speaks for the whole session
            self.row.update(ended)
            return
        for name, value in ended.items():
            setattr(self.writer, name, value)
        self._is_end = True

    # saving

    def save(self) -> Change | None:
        """Write the session's row. Returns what changed, for the pages that show it; None if they show nothing new."""
        table = Session.__table__
        statement = update(table).where(table.c.key == self.key)
        row, before = self.row, self._before
        if not self._changed:
            if row["last_seen_at"] != before["last_seen_at"]:
                self.connection.execute(statement.values(last_seen_at=row["last_seen_at"]))
            return None
        self._write_gathered()
        self.graphs.update_derived(self.now)
        row["search"] = search_text(row)
        row["updated_at"] = self.now
        row["version"] += 1
        changed = {**self._changed_columns(), table.c.change: next_change(self.connection)}
        self.connection.execute(statement.values(changed))
        return Change(
            session=row["id"],
            session_key=self.key,
            project=row["project_id"],
            before=before["version"],
            version=row["version"],
            first_sequence=before["next_sequence"],
            next_sequence=row["next_sequence"],
            graphs=self.graphs.new_ranges(),
            described=frozenset(self.graphs.described),
            fields=frozenset(name for name in LARGE_FIELDS if row[name] != before[name]),
            rewound=self.graphs.is_rewound,
        )

    def _write_gathered(self) -> None:
        """Write what records have changed beside the session's row, and put what was merged into the row."""
        self.graphs.flush()
        self._texts.write(self.connection, self.key)
        insert_images(self.connection, self.key, self._images)
        self._metadata.write()
        for column, merged in (("params", self._params), ("values", self._values)):
            if merged is not None:
                self.row[column] = merged.values

    def _changed_columns(self) -> dict[Any, Any]:
        is_stale = self.graphs.has_new_points or self.graphs.is_rewound
        columns = Session.__table__.c
        return {
            columns[name]: value
            for name, value in self.row.items()
            if (is_stale if name in CHANGED_IN_PLACE else value != self._before[name])
        }
