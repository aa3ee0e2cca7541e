"""The graphs and points of a session while records are applied to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from losswise.protocol.limits import MAX_GRAPHS
from losswise.protocol.records import graph_id

from ..db.engine import insert_or_update
from ..db.models import Graph, Mark
from ..exceptions import BadRecord
from ..points import arrivals, rewind, statistics
from ..points.columns import of_record
from ..points.incoming import NewPoints
from ..points.store import GraphRef
from ..points.summaries import SummaryState
from ..sessions import progress
from ..sessions.status import WriterState
from .rewinds import Deletion, Kept, Rewind, add_kept, add_rewind, drop_rewound, lowest_x, plan_deletion
from .schema import GraphRecord, PointsRecord, RewindRecord

_graphs = Graph.__table__
_OF_SESSION = select(_graphs).where(_graphs.c.session_key == bindparam("session_key"))


class GraphState:
    """Applies graph, points and rewind records of one session, marks and progress.

    Args:
        row: the session's row, as a dictionary; its counts, statistics and summary states are changed.

    Attributes:
        has_new_points, is_rewound: whether points were added, or deleted.
        record_number: the number of the record that is applied, as its writer counts.
    """

    def __init__(self, connection: Connection, row: dict[str, Any]) -> None:
        self.connection = connection
        self.row = row
        self.has_new_points = False
        self.is_rewound = False
        self.record_number = 0
        self._writer: WriterState | None = None
        self._writers: Mapping[str, WriterState] = {}
        self._is_replay = False
        self._new_points = NewPoints(connection, row["key"])
        self._marks: list[dict[str, Any]] = []
        self._rewinds = [Rewind(*rewind) for rewind in row["rewinds"]]
        self._kept = {id_: Kept(*kept) for id_, kept in row["kept"].items()}
        self._by_id: dict[str, dict[str, Any]] | None = None
        # of each graph with new points: their lowest and highest x, for the pages that show it
        self._lowest_x: dict[int, int] = {}
        self._highest_x: dict[int, int] = {}
        self._progress_samples: list[tuple[float, int]] = []

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
        return self._by_id

    def add_graph(self, record: GraphRecord) -> None:
        """Create the graph, or fill in what it lacks: the first label and kind that are sent win."""
        if record.id != graph_id(self.row["id"], record.title):
            raise BadRecord("a graph's id must be made from its session's id and its title")
        known = self.by_id.get(record.id)
        fields = {"title": record.title, "xlabel": record.xlabel or "", "ylabel": record.ylabel or ""}
        if known is None:
            self._create_graph(record, fields)
            return
        merged: dict[str, Any] = {name: known[name] or value for name, value in fields.items()}
        merged["kind"] = known["kind"] or record.kind
        known.update(merged)
        where = (_graphs.c.session_key == self.row["key"]) & (_graphs.c.number == known["number"])
        self.connection.execute(update(_graphs).where(where).values(**merged))

    def _create_graph(self, record: GraphRecord, fields: dict[str, str]) -> None:
        if len(self.by_id) >= MAX_GRAPHS:
            raise BadRecord(f"a session has at most {MAX_GRAPHS} graphs; this is one too many")
        number = max((graph["number"] for graph in self.by_id.values()), default=0) + 1
        graph: dict[str, Any] = {"session_key": self.row["key"], "number": number, "id": record.id, **fields}
        graph |= {"kind": record.kind, "names": [], "name_sets": [], "arrivals": []}
        self.connection.execute(insert(_graphs).values(**graph))
        self.by_id[record.id] = graph

    def _graph(self, id_: str) -> dict[str, Any]:
        if id_ not in self.by_id:
            raise BadRecord(f"this session has no graph {id_}: send its record first")
        return self.by_id[id_]

    def add_points(self, record: PointsRecord) -> None:
        """Gather the record's points, without those that a rewind deletes, and update the statistics."""
        graph, writer = self._graph(record.graph), self._writer
        kept = self._kept.get(writer.id) if writer is not None else None
        points = of_record(record.x, record.t, record.y)
        points = drop_rewound(
            points, self._rewinds, record.graph, writer, kept, self.record_number, is_replay=self._is_replay
        )
        count = len(points.x)
        if not count:
            return
        number = writer.number if writer is not None else 0
        self._new_points.add(graph, points, self.row["next_sequence"], number, self.row["marked"])
        self.has_new_points = True
        self.row["next_sequence"] += count
        self.row["points"] += count
        of_graph = self.row["graph_stats"].setdefault(str(graph["number"]), {})
        for name, column in points.y.items():
            stat = statistics.add_column(of_graph.get(name), points.x, column)
            if stat["count"]:
                of_graph[name] = stat
        self._extend_range(graph["number"], int(points.x.min()), int(points.x.max()))
        if self.row["steps"] is None and not self._is_replay:
            self._progress_samples += progress.progress_samples(points.t, points.x)

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
        if steps and not self._is_replay:
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

    def _rewind_graph(self, graph: dict[str, Any], deletion: Deletion) -> None:
        number = str(graph["number"])
        stats = self.row["graph_stats"].get(number, {})
        state = SummaryState.load(self.row["summary_states"].get(number))
        ref = GraphRef(self.connection, self.row["key"], graph["number"], graph["names"], graph["name_sets"])
        lowest = lowest_x(deletion, arrivals.lowest_x(graph["arrivals"], deletion.first_sequence or 0))
        rewound = rewind.rewind(ref, state, stats, lowest, deletion.where, deletion.bound)
        if rewound is not None:
            self.row["points"] -= rewound.deleted
            self.row["graph_stats"][number] = rewound.stats
            self.row["summary_states"][number] = rewound.state.dump()

    def flush(self) -> None:
        """Store the gathered points and marks, and update the summaries."""
        self._new_points.store(self.row["summary_states"])
        if self._marks:
            statement = insert_or_update(self.connection, Mark.__table__).on_conflict_do_nothing()
            self.connection.execute(statement, self._marks)
            self._marks = []

    def update_derived(self, now: float) -> None:
        """Update the columns of the row that follow from others: statistics by name and the estimated completion."""
        row = self.row
        titles = {str(graph["number"]): graph["title"] for graph in self.by_id.values()}
        row["stats"] = statistics.by_name(row["graph_stats"], titles)
        row["pace"] = progress.add_pace(row["pace"], self._progress_samples)
        row["eta"] = progress.estimate(row["pace"], row["max_iter"], now) if row["status"] == "active" else None

    def new_ranges(self) -> dict[str, list[Any]]:
        """{graph number: [graph id, lowest x, highest x]} of the new points."""
        id_of = {graph["number"]: graph["id"] for graph in self.by_id.values()} if self._lowest_x else {}
        return {str(number): [id_of[number], x, self._highest_x[number]] for number, x in self._lowest_x.items()}


def _last_x(steps: int) -> int | None:
    """The x of the last of so many steps."""
    return steps - 1 if steps else None
