"""The graphs and points of a session while records are applied to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from losswise.protocol.limits import INT64_MAX, MAX_GRAPHS, MAX_NAME_LENGTH
from losswise.protocol.records import graph_id

from ..db.engine import insert_or_update
from ..db.models import Graph, Mark
from ..exceptions import ApiError, BadRecord
from ..points import arrivals, rewind, statistics
from ..points.columns import of_record
from ..points.incoming import NewPoints
from ..points.rewind import Range
from ..points.store import GraphRef
from ..points.summaries import SummaryState
from ..sessions import progress
from ..sessions.status import WriterState
from .rewinds import Deletion, Kept, Rewind, add_kept, add_rewind, drop_rewound, lowest_x, plan_deletion
from .schema import GraphRecord, PointsRecord, RewindRecord
from .session_fields import cut

_graphs = Graph.__table__
_OF_SESSION = select(_graphs).where(_graphs.c.session_key == bindparam("session_key"))
WRITTEN = ("title", "xlabel", "ylabel", "kind", "names", "name_sets", "arrivals")
_UPDATE = (
    update(_graphs)
    .where(_graphs.c.session_key == bindparam("new_session_key"), _graphs.c.number == bindparam("new_number"))
    .values({name: bindparam(f"new_{name}") for name in WRITTEN})
)

# Pages of summaries that are rewritten because of points that come late: a second of work. A record cannot be split, so
# there are more for one that is alone: one of a client has at most 50,000 numbers.
MAX_LATE_PAGES = 100_000
MAX_LATE_PAGES_OF_RECORD = 400_000
MAX_COMPARISONS = 100_000  # of records with rewinds


class EarlyRewinds:
    """How far the rewinds of a batch are that are made in parts before it.

    Attributes:
        left: {(number of the record, id of the graph): the greatest x at which points may be left; None if none are}.
        begun: {number of the record: what it deletes, and the session's next sequence number, as they were}.
    """

    def __init__(self) -> None:
        self.left: dict[tuple[int, str], int | None] = {}
        self.begun: dict[int, tuple[Deletion, int]] = {}

    def is_done(self, number: int, id_: str, deletion: Deletion, next_sequence: int) -> bool:
        """Return whether a graph has nothing left that the record deletes; no points have come meanwhile then."""
        return self.begun.get(number) == (deletion, next_sequence) and self.left.get((number, id_), 0) is None


class GraphState:
    """Applies graph, points and rewind records of one session, marks and progress.

    Args:
        row: the session's row, as a dictionary; its counts, statistics and summary states are changed.

    Attributes:
        has_new_points, is_rewound: whether points were added, or deleted.
        described: the numbers of graphs that are new, or have other labels.
        max_late_pages: how many pages of summaries points may change that come late.
        record_number: the number of the record that is applied, as its writer counts.
        early: what was deleted before the batch.
    """

    def __init__(self, connection: Connection, row: dict[str, Any]) -> None:
        self.connection = connection
        self.row = row
        self.has_new_points = False
        self.is_rewound = False
        self.described: set[int] = set()
        self.max_late_pages = MAX_LATE_PAGES
        self.record_number = 0
        self.early = EarlyRewinds()
        self._writer: WriterState | None = None
        self._writers: Mapping[str, WriterState] = {}
        self._is_replay = False
        self._points: NewPoints | None = None
        self._new_graphs: list[dict[str, Any]] = []
        self._changed_graphs: set[int] = set()  # numbers of those whose labels have changed
        self._marks: list[dict[str, Any]] = []
        self._rewinds = [Rewind(*rewind) for rewind in row["rewinds"]]
        self._kept = {id_: Kept(*kept) for id_, kept in row["kept"].items()}
        self._by_id: dict[str, dict[str, Any]] | None = None
        self._last_number = 0  # of the graphs; set with `_by_id`
        # of each graph with new points: their lowest and highest x, for the pages that show it
        self._lowest_x: dict[int, int] = {}
        self._highest_x: dict[int, int] = {}
        self._progress_samples: list[tuple[float, int]] = []
        self._comparisons = 0
        self._compared: list[Rewind] | None = None
        self._latest_rewind = -1.0  # the time of the latest of these

    def begin(self, writer: WriterState, writers: Mapping[str, WriterState], is_replay: bool) -> None:
        """Prepare for the records of a writer.

        Args:
            writers: all of the session by id.
            is_replay: the records were kept in a journal, and say nothing about the speed of the run.
        """
        self._writer, self._writers, self._is_replay = writer, writers, is_replay

    @property
    def by_id(self) -> dict[str, dict[str, Any]]:
        """The rows of the session's graphs by id; read when they are first needed."""
        if self._by_id is None:
            rows = self.connection.execute(_OF_SESSION, {"session_key": self.row["key"]}).mappings()
            self._by_id = {row["id"]: dict(row) for row in rows}
            self._last_number = max((graph["number"] for graph in self._by_id.values()), default=0)
        return self._by_id

    @property
    def _new_points(self) -> NewPoints:
        if self._points is None:
            name_count = sum(len(graph["names"]) for graph in self.by_id.values())
            self._points = NewPoints(self.connection, self.row["key"], name_count)
        return self._points

    def add_graph(self, record: GraphRecord) -> None:
        """Create the graph, or fill in what it lacks: the first label and kind that are sent win."""
        if record.id != graph_id(self.row["id"], record.title):
            raise BadRecord("a graph's id must be made from its session's id and its title")
        labels = {"title": record.title, "xlabel": record.xlabel or "", "ylabel": record.ylabel or ""}
        fields: dict[str, Any] = {name: cut(label, MAX_NAME_LENGTH) for name, label in labels.items()}
        fields["kind"] = record.kind
        known = self.by_id.get(record.id)
        if known is None:
            self._create_graph(record.id, fields)
        elif missing := {name: value for name, value in fields.items() if value and not known[name]}:
            known.update(missing)
            self._changed_graphs.add(known["number"])
            self.described.add(known["number"])

    def _create_graph(self, id_: str, fields: dict[str, Any]) -> None:
        if len(self.by_id) >= MAX_GRAPHS:
            raise BadRecord(f"a session has at most {MAX_GRAPHS:,} graphs; this is one too many")
        self._last_number += 1
        graph: dict[str, Any] = {"session_key": self.row["key"], "number": self._last_number, "id": id_, **fields}
        graph |= {"names": [], "name_sets": [], "arrivals": []}
        self._new_graphs.append(graph)
        self.described.add(self._last_number)
        self.by_id[id_] = graph

    def _graph(self, id_: str) -> dict[str, Any]:
        if id_ not in self.by_id:
            raise BadRecord("this session has no such graph: send its record first")
        return self.by_id[id_]

    def add_points(self, record: PointsRecord) -> None:
        """Gather the record's points, without those that a rewind deletes, and update the statistics."""
        graph, writer = self._graph(record.graph), self._writer
        kept = self._kept.get(writer.id) if writer is not None else None
        rewinds = self._rewinds if self._must_compare(record, kept) else []
        points = of_record(record.x, record.t, record.y)
        points = drop_rewound(
            points, rewinds, record.graph, writer, kept, self.record_number, is_replay=self._is_replay
        )
        count = len(points.x)
        if not count:
            return
        number = writer.number if writer is not None else 0
        lowest, highest = points.ends
        self._new_points.add(graph, points, lowest, self.row["next_sequence"], number, self.row["marked"])
        self.has_new_points = True
        self.row["next_sequence"] += count
        self.row["points"] += count
        of_graph = self.row["graph_stats"].setdefault(str(graph["number"]), {})
        for name, column in points.y.items():
            stat = statistics.add_column(of_graph.get(name), points.x, column)
            if stat["count"]:
                of_graph[name] = stat
        self._extend_range(graph["number"], lowest, highest)
        if self.row["steps"] is None and not self._is_replay:
            self._progress_samples += progress.progress_samples(points.t, points.x)

    def _must_compare(self, record: PointsRecord, kept: Kept | None) -> bool:
        """Return whether a rewind may delete points of this record.

        Raises ApiError (413) if too many records would be compared with too many rewinds, each with each.
        """
        if self._compared is not self._rewinds:
            self._compared = self._rewinds
            self._latest_rewind = max((rewind.until for rewind in self._rewinds), default=-1.0)
        # the times of points are not all that counts if something of their writer is kept
        if not self._rewinds or (kept is None and min(record.t, default=0.0) > self._latest_rewind):
            return False
        self._comparisons += len(self._rewinds)
        if self._comparisons > MAX_COMPARISONS:
            raise ApiError(413, "too_large", f"a batch of old points for a session with {len(self._rewinds)} rewinds")
        return True

    def _extend_range(self, number: int, lowest: int, highest: int) -> None:
        self._lowest_x[number] = min(lowest, self._lowest_x.get(number, lowest))
        self._highest_x[number] = max(highest, self._highest_x.get(number, highest))
        if self.row["steps"] is None:
            self.row["last_x"] = highest if self.row["last_x"] is None else max(highest, self.row["last_x"])

    # progress, marks and rewinds

    def tell_steps(self, steps: int, t: float) -> None:
        """Note how many steps are done, as an integration tells. From then on the x of points no longer count."""
        row = self.row
        if row["steps_at"] is not None and t <= row["steps_at"]:
            return  # out of a journal that was left over
        if row["steps"] is None or steps < row["steps"]:
            row["pace"], self._progress_samples = [], []
        row["steps"], row["steps_at"], row["last_x"] = steps, t, _last_x(steps)
        if not self._is_replay:
            self._progress_samples.append((t, steps - 1))

    def mark(self, number: int, t: float | None) -> None:
        """Store a mark of the writer: the sequence number from which on its points come after it."""
        row, writer = self.row, self._writer
        if writer is None:
            return
        sequence = row["marked"] = row["next_sequence"]
        writer.trains = True
        kept = self._kept.get(writer.id)
        if kept is not None and kept.record is None and number >= kept.mark:
            self._keep({**self._kept, writer.id: kept._replace(record=self.record_number, t=t)})
        if writer.number:
            mark = {"number": number, "record": self.record_number, "sequence": sequence, "t": t}
            self._marks.append({"session_key": row["key"], "writer": writer.number, **mark})

    def _keep(self, kept: dict[str, Kept]) -> None:
        self._kept = kept
        self.row["kept"] = {id_: list(one) for id_, one in kept.items()}

    def rewind(self, record: RewindRecord, now: float) -> None:
        """Delete stored points, and remember the rewind for those that arrive later."""
        graphs = list(self.by_id.values()) if record.graph is None else [self._graph(record.graph)]
        self.flush()
        row, writer = self.row, self._writer
        deletion, named = plan_deletion(self.connection, row["key"], record, writer, self._writers, now)
        new = Rewind(record.after, record.t, record.graph, writer.id if writer is not None else None, record.since)
        self._rewinds = add_rewind(self._rewinds, new)
        row["rewinds"] = [list(rewind) for rewind in self._rewinds]
        kept = self._kept
        for id_, one in named.items():
            if id_ != new.writer and new.graph is None:  # what it sends itself from here on is new
                kept = add_kept(kept, id_, one)
        self._keep(kept)
        for graph in graphs:
            if not self.early.is_done(self.record_number, graph["id"], deletion, row["next_sequence"]):
                self._rewind_graph(graph, deletion)
        self._rewind_steps(record)
        row["pace"], self._progress_samples = [], []
        row["marked"] = row["next_sequence"]
        if writer is not None and record.since is not None:
            writer.trains = True
        self.is_rewound = True

    def _rewind_steps(self, record: RewindRecord) -> None:
        row = self.row
        if row["steps"] is None:
            row["last_x"] = statistics.greatest_x(row["graph_stats"])
        elif record.graph is None and not (self._is_replay and record.t < row["steps_at"]):
            row["steps"], row["steps_at"] = max(0, min(row["steps"], record.after + 1)), record.t
            row["last_x"] = _last_x(row["steps"])

    def _rewind_graph(self, graph: dict[str, Any], deletion: Deletion, part: Range | None = None) -> None:
        number = str(graph["number"])
        stats = self.row["graph_stats"].get(number, {})
        state = SummaryState.load(self.row["summary_states"].get(number))
        within = part or (self._lowest_x_of(graph, deletion), INT64_MAX)
        rewound = rewind.rewind(self._ref(graph), state, stats, within, deletion.where, deletion.bound)
        if rewound is not None:
            self.row["points"] -= rewound.deleted
            self.row["graph_stats"][number] = rewound.stats
            self.row["summary_states"][number] = rewound.state.dump()

    def _ref(self, graph: dict[str, Any]) -> GraphRef:
        return GraphRef(self.connection, self.row["key"], graph["number"], graph["names"], graph["name_sets"])

    @staticmethod
    def _lowest_x_of(graph: dict[str, Any], deletion: Deletion) -> int:
        return lowest_x(deletion, arrivals.lowest_x(graph["arrivals"], deletion.first_sequence or 0))

    def rewind_early(self, record: RewindRecord, number: int, deletion: Deletion, ends_at: float) -> bool:
        """Delete what a rewind is about to delete, a part at a time, and note in `early` how far this is.

        Args:
            number: of the record.
            ends_at: when to stop (time.monotonic).

        Returns:
            Whether nothing is left; False also if that is not known because the time was over.
        """
        self.early.begun.setdefault(number, (deletion, self.row["next_sequence"]))
        is_done = self._rewind_parts(record, number, deletion, ends_at)
        if self.row["steps"] is None:
            self.row["last_x"] = statistics.greatest_x(self.row["graph_stats"])
        return is_done

    def _rewind_parts(self, record: RewindRecord, number: int, deletion: Deletion, ends_at: float) -> bool:
        left = self.early.left
        for id_, graph in self.by_id.items():
            if record.graph not in (None, id_):
                continue
            while (highest := left.get((number, id_), INT64_MAX)) is not None:
                left[number, id_] = self._rewind_part(graph, deletion, highest)
                if time.monotonic() > ends_at:
                    return False
        return True

    def _rewind_part(self, graph: dict[str, Any], deletion: Deletion, highest: int) -> int | None:
        """Delete the part with the greatest x up to `highest`, if it is near; returns what `early.left` holds."""
        lowest = self._lowest_x_of(graph, deletion)
        within = rewind.limit_search(self._ref(graph), (lowest, highest))
        part = rewind.find_part(self._ref(graph), within, deletion.where, deletion.bound)
        if part is not None:
            self._rewind_graph(graph, deletion, part)
            self.is_rewound = True
        done_from = within[0] if part is None else part[0]
        return done_from - 1 if done_from > lowest else None

    def flush(self) -> None:
        """Store the graphs, the gathered points and marks, and update the summaries."""
        if self._points is not None:
            self._changed_graphs |= self._points.changed
            self._points.changed.clear()
        self._write_graphs()
        if self._points is not None:
            self._points.store(self.row["summary_states"], self.row["graph_stats"], self.max_late_pages)
        if self._marks:
            statement = insert_or_update(self.connection, Mark.__table__).on_conflict_do_nothing()
            self.connection.execute(statement, self._marks)
            self._marks = []

    def _write_graphs(self) -> None:
        self._changed_graphs -= {graph["number"] for graph in self._new_graphs}
        if self._new_graphs:
            self.connection.execute(insert(_graphs), self._new_graphs)
        if self._changed_graphs:
            changed = [graph for graph in self.by_id.values() if graph["number"] in self._changed_graphs]
            rows = [{f"new_{name}": graph[name] for name in ("session_key", "number", *WRITTEN)} for graph in changed]
            self.connection.execute(_UPDATE, rows)
        self._new_graphs, self._changed_graphs = [], set()

    def update_derived(self, now: float) -> None:
        """Update the columns of the row that follow from others: statistics by name and the estimated completion."""
        row = self.row
        titles = {str(graph["number"]): graph["title"] for graph in self.by_id.values()}
        row["stats"] = statistics.by_name(row["graph_stats"], titles)
        row["pace"] = progress.add_pace(row["pace"], self._progress_samples)
        row["eta"] = progress.estimate(row["pace"], row["max_iter"], now) if row["status"] == "active" else None

    def new_ranges(self) -> dict[int, tuple[int, int]]:
        """{graph number: (lowest x, highest x)} of the new points."""
        return {number: (lowest, self._highest_x[number]) for number, lowest in self._lowest_x.items()}


def _last_x(steps: int) -> int | None:
    """The x of the last of so many steps."""
    return steps - 1 if steps else None
