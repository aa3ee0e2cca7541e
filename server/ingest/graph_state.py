"""The graphs and points of a session while records are applied to it."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from losswise.protocol.limits import MAX_GRAPHS, MAX_NAME_LENGTH
from losswise.protocol.records import graph_id

from ..db.models import Graph
from ..exceptions import ApiError, BadRecord
from ..points import rewind, statistics
from ..points.columns import of_record
from ..points.incoming import NewPoints
from ..points.store import GraphRef
from ..points.summaries import SummaryState
from ..sessions import progress
from .rewinds import Rewind, add_rewind, drop_rewound
from .schema import GraphRecord, PointsRecord, RewindRecord
from .session_fields import cut

_graphs = Graph.__table__
_OF_SESSION = select(_graphs).where(_graphs.c.session_key == bindparam("session_key"))
WRITTEN = ("title", "xlabel", "ylabel", "kind", "names", "name_sets")
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


class GraphState:
    """Applies graph, points and rewind records of one session.

    Args:
        row: the session's row, as a dictionary; its counts, statistics and summary states are changed.

    Attributes:
        has_new_points, is_rewound: whether points were added, or deleted.
        max_late_pages: how many pages of summaries points may change that come late.
    """

    def __init__(self, connection: Connection, row: dict[str, Any]) -> None:
        self.connection = connection
        self.row = row
        self.has_new_points = False
        self.is_rewound = False
        self.max_late_pages = MAX_LATE_PAGES
        self._points: NewPoints | None = None
        self._new_graphs: list[dict[str, Any]] = []
        self._changed_graphs: set[int] = set()  # numbers of those whose labels have changed
        self._rewinds = [Rewind(*rewind) for rewind in row["rewinds"]]
        self._by_id: dict[str, dict[str, Any]] | None = None
        self._last_number = 0  # of the graphs; set with `_by_id`
        # of each graph with new points: their lowest and highest x, for the pages that show it
        self._lowest_x: dict[int, int] = {}
        self._highest_x: dict[int, int] = {}
        self._progress_samples: list[tuple[float, int]] = []
        self._comparisons = 0
        self._compared: list[Rewind] | None = None
        self._latest_rewind = -1.0  # the time of the latest of these

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

    def _create_graph(self, id_: str, fields: dict[str, Any]) -> None:
        if len(self.by_id) >= MAX_GRAPHS:
            raise BadRecord(f"a session has at most {MAX_GRAPHS} graphs; this is one too many")
        self._last_number += 1
        graph: dict[str, Any] = {"session_key": self.row["key"], "number": self._last_number, "id": id_, **fields}
        graph |= {"names": [], "name_sets": []}
        self._new_graphs.append(graph)
        self.by_id[id_] = graph

    def _graph(self, id_: str) -> dict[str, Any]:
        if id_ not in self.by_id:
            raise BadRecord(f"this session has no graph {id_}: send its record first")
        return self.by_id[id_]

    def add_points(self, record: PointsRecord, writer: str | None, is_replay: bool) -> None:
        """Gather the record's points, without those that a rewind deletes, and update the statistics.

        Args:
            writer: the id of the record's writer; None for a v1 client.
            is_replay: whether the points were recorded some time ago, and say nothing about the speed of the run.
        """
        graph = self._graph(record.graph)
        self._count_comparisons(record)
        points = drop_rewound(of_record(record.x, record.t, record.y), self._rewinds, record.graph, writer)
        count = len(points.x)
        if not count:
            return
        self._new_points.add(graph, points, self.row["next_sequence"])
        self.has_new_points = True
        self.row["next_sequence"] += count
        self.row["points"] += count
        of_graph = self.row["graph_stats"].setdefault(str(graph["number"]), {})
        for name, column in points.y.items():
            stat = statistics.add_column(of_graph.get(name), points.x, column)
            if stat["count"]:
                of_graph[name] = stat
        self._extend_range(graph["number"], int(points.x.min()), int(points.x.max()))
        if not is_replay:
            self._progress_samples += progress.progress_samples(points.t, points.x)

    def _count_comparisons(self, record: PointsRecord) -> None:
        """Raise ApiError (413) if too many records would be compared with too many rewinds, each with each."""
        if self._compared is not self._rewinds:
            self._compared = self._rewinds
            self._latest_rewind = max((rewind.until for rewind in self._rewinds), default=-1.0)
        if self._rewinds and min(record.t, default=0.0) <= self._latest_rewind:
            self._comparisons += len(self._rewinds)
            if self._comparisons > MAX_COMPARISONS:
                raise ApiError(
                    413, "too_large", f"a batch of old points for a session with {len(self._rewinds)} rewinds"
                )

    def _extend_range(self, number: int, lowest: int, highest: int) -> None:
        self._lowest_x[number] = min(lowest, self._lowest_x.get(number, lowest))
        self._highest_x[number] = max(highest, self._highest_x.get(number, highest))
        self.row["last_x"] = highest if self.row["last_x"] is None else max(highest, self.row["last_x"])

    def rewind(self, record: RewindRecord, writer: str | None) -> None:
        """Delete stored points, and remember the rewind for those that arrive later."""
        graphs = list(self.by_id.values()) if record.graph is None else [self._graph(record.graph)]
        self.flush()
        self._rewinds = add_rewind(self._rewinds, Rewind(record.after, record.t, record.graph, writer))
        self.row["rewinds"] = [list(rewind) for rewind in self._rewinds]
        for graph in graphs:
            self._rewind_graph(graph, record.after, record.t)
        self.row["last_x"] = statistics.greatest_x(self.row["graph_stats"])
        self.row["pace"], self._progress_samples = [], []
        self.is_rewound = True

    def _rewind_graph(self, graph: dict[str, Any], after: int, until: float) -> None:
        number = str(graph["number"])
        stats = self.row["graph_stats"].get(number, {})
        state = SummaryState.load(self.row["summary_states"].get(number))
        ref = GraphRef(self.connection, self.row["key"], graph["number"], graph["names"], graph["name_sets"])
        rewound = rewind.rewind(ref, state, stats, after, until)
        if rewound is not None:
            self.row["points"] -= rewound.deleted
            self.row["graph_stats"][number] = rewound.stats
            self.row["summary_states"][number] = rewound.state.dump()

    def rewind_early(self, record: RewindRecord, ends_at: float, done: set[str]) -> bool:
        """Delete what a rewind is about to delete, a part at a time; returns whether nothing is left.

        Args:
            ends_at: when to stop (time.monotonic).
            done: the ids of graphs in which nothing is left; it is added to.
        """
        left = [graph for id_, graph in self.by_id.items() if id_ not in done and record.graph in (None, id_)]
        while left:
            graph = left[-1]
            ref = GraphRef(self.connection, self.row["key"], graph["number"], graph["names"], graph["name_sets"])
            cut = rewind.find_cut(ref, record.after, record.t)
            if cut is None:
                done.add(graph["id"])
                left.pop()
                continue
            self._rewind_graph(graph, cut, record.t)
            self.is_rewound = True
            if time.monotonic() > ends_at:
                break
        self.row["last_x"] = statistics.greatest_x(self.row["graph_stats"])
        return not left

    def flush(self) -> None:
        """Store the graphs, and the gathered points, and update their summaries."""
        if self._points is not None:
            self._changed_graphs |= self._points.changed
            self._points.changed.clear()
        self._write_graphs()
        if self._points is not None:
            self._points.store(self.row["summary_states"], self.row["graph_stats"], self.max_late_pages)

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

    def new_ranges(self) -> dict[str, list[Any]]:
        """{graph number: [graph id, lowest x, highest x]} of the new points."""
        id_of = {graph["number"]: graph["id"] for graph in self.by_id.values()} if self._lowest_x else {}
        return {str(number): [id_of[number], x, self._highest_x[number]] for number, x in self._lowest_x.items()}
