"""Points that a batch brings, gathered until they are stored together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, update

from losswise.protocol.limits import MAX_NAMES

from ..db.models import Graph
from ..exceptions import BadRecord
from . import store as points_store
from . import summaries
from .columns import Columns
from .store import Lines, Place, Points
from .summaries import Seal

FORMS_MOST = 64
"""A graph's points have at most so many sets of names of their own; other sets are stored as a larger one."""


class NewPoints:
    """The new points of a session. `graph` is a row of the graphs table; its names and forms grow."""

    def __init__(self, connection: Connection, session_key: int) -> None:
        self.connection = connection
        self.session_key = session_key
        self._gathered: list[tuple[Columns, Points]] = []
        self._graphs: dict[int, dict[str, Any]] = {}
        self._changed: set[int] = set()

    def add(self, graph: dict[str, Any], columns: Columns, first_arrival: int) -> None:
        """Gather points. Raises BadRecord where the graph would have too many names."""
        number = graph["number"]
        self._graphs[number] = graph
        form = self._form(graph, list(columns.y))
        values = [columns.y.get(graph["names"][name]) for name in graph["name_sets"][form]]
        self._gathered.append((columns, Points(number, first_arrival, form, columns.x, columns.t, values)))

    def _form(self, graph: dict[str, Any], names: list[str]) -> int:
        """The place in the graph's forms of one that has these names."""
        known = {name: place for place, name in enumerate(graph["names"])}
        new = [name for name in names if name not in known]
        if len(known) + len(new) > MAX_NAMES:
            raise BadRecord(f"a graph has at most {MAX_NAMES} names; {new[0][:60]!r} is one too many")
        if new:
            graph["names"] = [*graph["names"], *new]
            known = {name: place for place, name in enumerate(graph["names"])}
            self._changed.add(graph["number"])
        wanted = sorted(known[name] for name in names)
        forms = graph["name_sets"]
        if wanted in forms:
            return int(forms.index(wanted))
        if len(forms) >= FORMS_MOST:
            for place, form in enumerate(forms):
                if set(wanted) <= set(form):
                    return place
            wanted = list(range(len(graph["names"])))
        graph["name_sets"] = [*forms, wanted]
        self._changed.add(graph["number"])
        return len(forms)

    def store(self, seals: dict[str, Any]) -> None:
        """Write what was gathered; `seals` is changed with it."""
        table = Graph.__table__
        for number in self._changed:
            graph = self._graphs[number]
            self.connection.execute(
                update(table)
                .where(table.c.session_key == self.session_key, table.c.number == number)
                .values(names=graph["names"], name_sets=graph["name_sets"])
            )
        points_store.insert(self.connection, self.session_key, [points for _, points in self._gathered])
        for number, graph in self._graphs.items():
            place = Place(self.connection, self.session_key, number, Lines(graph["names"], graph["name_sets"]))
            new = [columns for columns, points in self._gathered if points.graph == number]
            seals[str(number)] = summaries.keep_up(place, Seal.load(seals.get(str(number))), new).dump()
        self._gathered, self._graphs, self._changed = [], {}, set()
