"""Points that a batch brings, gathered until they are stored together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, update

from losswise.protocol.limits import MAX_NAMES

from ..db.models import Graph
from ..exceptions import BadRecord
from . import arrivals, store, summaries
from .columns import PointColumns
from .store import GraphRef, StoredBatch
from .summaries import SummaryState

# Distinct name sets per graph. Points with further ones are stored padded to a superset: a script that logs the
# accuracy of the classes that happen to be in a batch has a new set at almost every step.
MAX_NAME_SETS = 64


class NewPoints:
    """The new points of a session. Rows of the graphs table that are passed in are changed: their names grow."""

    def __init__(self, connection: Connection, session_key: int) -> None:
        self.connection = connection
        self.session_key = session_key
        self._gathered: list[tuple[PointColumns, StoredBatch]] = []
        self._graphs: dict[int, dict[str, Any]] = {}
        self._changed: set[int] = set()

    def add(
        self, graph: dict[str, Any], columns: PointColumns, first_sequence: int, writer: int, marked: int | None
    ) -> None:
        """Gather points. Raises BadRecord if the graph would have too many names; nothing is changed then.

        Args:
            graph: its row.
            first_sequence: the sequence number of the first point.
            writer: the number of their writer; 0 if it is unknown.
            marked: as `arrivals.add` takes it.
        """
        number = graph["number"]
        name_set = self._name_set(graph, list(columns.y))
        self._graphs[number] = graph
        values = [columns.y.get(graph["names"][index]) for index in graph["name_sets"][name_set]]
        batch = StoredBatch(number, first_sequence, name_set, columns.x, columns.t, values, writer)
        entries = arrivals.add(graph["arrivals"], marked, int(columns.x.min()))
        if entries is not graph["arrivals"]:
            graph["arrivals"] = entries
            self._changed.add(number)
        self._gathered.append((columns, batch))

    def _name_set(self, graph: dict[str, Any], names: list[str]) -> int:
        """The index of the graph's name set that holds these names; it is added if there is none."""
        known = {name: index for index, name in enumerate(graph["names"])}
        new = [name for name in names if name not in known]
        if len(known) + len(new) > MAX_NAMES:
            raise BadRecord(f"a graph has at most {MAX_NAMES} names; {new[0][:60]!r} is one too many")
        if new:
            graph["names"] = [*graph["names"], *new]
            known = {name: index for index, name in enumerate(graph["names"])}
            self._changed.add(graph["number"])
        wanted = sorted(known[name] for name in names)
        name_sets = graph["name_sets"]
        if wanted in name_sets:
            return int(name_sets.index(wanted))
        if len(name_sets) >= MAX_NAME_SETS:
            for index, name_set in enumerate(name_sets):
                if set(wanted) <= set(name_set):
                    return index
            wanted = list(range(len(graph["names"])))
        graph["name_sets"] = [*name_sets, wanted]
        self._changed.add(graph["number"])
        return len(name_sets)

    def store(self, summary_states: dict[str, Any]) -> None:
        """Write what was gathered. `summary_states`, by graph number, is updated in place."""
        table = Graph.__table__
        for number in self._changed:
            graph = self._graphs[number]
            self.connection.execute(
                update(table)
                .where(table.c.session_key == self.session_key, table.c.number == number)
                .values({name: graph[name] for name in ("names", "name_sets", "arrivals")})
            )
        store.insert(self.connection, self.session_key, [batch for _, batch in self._gathered])
        for number, graph in self._graphs.items():
            ref = GraphRef(self.connection, self.session_key, number, graph["names"], graph["name_sets"])
            new = [columns for columns, batch in self._gathered if batch.graph == number]
            state = SummaryState.load(summary_states.get(str(number)))
            summary_states[str(number)] = summaries.update(ref, state, new).dump()
        self._gathered, self._graphs, self._changed = [], {}, set()
