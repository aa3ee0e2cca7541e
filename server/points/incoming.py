"""Points that a batch brings, gathered until they are stored together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from losswise.protocol.limits import MAX_NAMES, MAX_SESSION_NAMES

from ..exceptions import ApiError, BadRecord
from . import arrivals, store, summaries
from .columns import PointColumns
from .statistics import Stat
from .store import GraphRef, StoredBatch
from .summaries import SummaryState

TOO_MANY_NAMES = f"a graph has at most {MAX_NAMES:,} names, and a session {MAX_SESSION_NAMES:,}"

# Distinct name sets per graph. Points with further ones are stored padded to a superset: a script that logs the
# accuracy of the classes that happen to be in a batch has a new set at almost every step.
MAX_NAME_SETS = 64


class NewPoints:
    """The new points of a session. Rows of the graphs table that are passed in are changed: their names grow.

    Args:
        name_count: how many names all graphs of the session have.

    Attributes:
        changed: the numbers of the graphs whose rows have changed. The caller writes them.
    """

    def __init__(self, connection: Connection, session_key: int, name_count: int) -> None:
        self.connection = connection
        self.session_key = session_key
        self.changed: set[int] = set()
        self._name_count = name_count
        self._graphs: dict[int, _NewGraphPoints] = {}

    def add(
        self,
        graph: dict[str, Any],
        columns: PointColumns,
        lowest: int,
        first_sequence: int,
        writer: int,
        marked: int | None,
    ) -> None:
        """Gather points. Raises BadRecord if there would be too many names; nothing is changed then.

        Args:
            graph: its row.
            lowest: the least x.
            first_sequence: the sequence number of the first point.
            writer: the number of their writer; 0 if it is unknown.
            marked: as `arrivals.add` takes it.
        """
        number = graph["number"]
        if number not in self._graphs:
            self._graphs[number] = _NewGraphPoints(graph)
        of_graph = self._graphs[number]
        new = of_graph.new_names(columns.y)
        names, names_of_session = len(graph["names"]) + len(new), self._name_count + len(new)
        if new and (names > MAX_NAMES or names_of_session > MAX_SESSION_NAMES):
            raise BadRecord(TOO_MANY_NAMES)
        self._name_count += len(new)
        entries = arrivals.add(graph["arrivals"], marked, lowest)
        if of_graph.add(new, columns, first_sequence, writer) or entries is not graph["arrivals"]:
            graph["arrivals"] = entries
            self.changed.add(number)

    def store(self, summary_states: dict[str, Any], graph_stats: dict[str, dict[str, Stat]], max_pages: int) -> None:
        """Write what was gathered.

        Args:
            summary_states: by graph number; updated in place.
            graph_stats: the statistics by graph number, which include the new points.
            max_pages: how many pages of summaries may be rewritten because of points that come late.

        Raises:
            ApiError: with 413, if that would be more pages.
        """
        found = [(graph, self._load_state(graph, summary_states)) for graph in self._graphs.values() if graph.batches]
        pages = sum(summaries.late_pages(state, graph.columns, max_pages // len(found)) for graph, state in found)
        if pages > max_pages:
            message = f"points with an x far below the latest one change {pages} pages of summaries"
            raise ApiError(413, "too_large", f"{message}; the limit is {max_pages}")
        store.insert(self.connection, self.session_key, [batch for graph, _ in found for batch in graph.batches])
        room = summaries.SealingRoom()
        for graph, state in found:
            row, number = graph.row, str(graph.row["number"])
            ref = GraphRef(self.connection, self.session_key, row["number"], row["names"], row["name_sets"])
            values = sum(stat["count"] for stat in graph_stats.get(number, {}).values())
            summary_states[number] = summaries.update(ref, state, graph.columns, values, room).dump()
        self._graphs = {}

    def _load_state(self, graph: _NewGraphPoints, summary_states: dict[str, Any]) -> SummaryState:
        return SummaryState.load(summary_states.get(str(graph.row["number"])))


class _NewGraphPoints:
    """The new points of one graph: `columns` as they came, and `batches` as they are stored."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.columns: list[PointColumns] = []
        self.batches: list[StoredBatch] = []
        self._index_of = {name: index for index, name in enumerate(row["names"])}
        self._set_of: dict[tuple[str, ...], int] = {}  # the name set that points with these names have
        self._sets = {frozenset(name_set): index for index, name_set in enumerate(row["name_sets"])}

    def new_names(self, names: Iterable[str]) -> list[str]:
        """Those of the names that the graph does not have."""
        return [name for name in names if name not in self._index_of]

    def add(self, new_names: list[str], columns: PointColumns, first_sequence: int, writer: int) -> bool:
        """Gather points; returns whether the graph's row has changed."""
        for name in new_names:
            self._index_of[name] = len(self._index_of)
        if new_names:
            self.row["names"] = [*self.row["names"], *new_names]
        sets_before = len(self._sets)
        names = tuple(columns.y)
        if names not in self._set_of:
            self._set_of[names] = self._name_set(names)
        name_set = self._set_of[names]
        values = [columns.y.get(self.row["names"][index]) for index in self.row["name_sets"][name_set]]
        self.columns.append(columns)
        batch = StoredBatch(self.row["number"], first_sequence, name_set, columns.x, columns.t, values, writer)
        self.batches.append(batch)
        return bool(new_names) or len(self._sets) > sets_before

    def _name_set(self, names: tuple[str, ...]) -> int:
        """The index of the name set that holds these names; it is added if there is none."""
        wanted = frozenset(self._index_of[name] for name in names)
        if wanted in self._sets:
            return self._sets[wanted]
        if len(self._sets) >= MAX_NAME_SETS:
            for known, index in self._sets.items():
                if wanted <= known:
                    return index
            wanted = frozenset(range(len(self.row["names"])))
        self._sets[wanted] = len(self._sets)
        self.row["name_sets"] = [*self.row["name_sets"], sorted(wanted)]
        return self._sets[wanted]
