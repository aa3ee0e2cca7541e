"""Which graphs the values of `Session.log` go to: the naming rule, remembered for each set of names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from losswise.graph import Graph
from losswise.naming import Placement, place
from losswise.numeric import to_x
from losswise.plain import name as plain_name

REMEMBERED = 1_000
"""Sets of names that are placed once and for all."""

Placed = list[tuple[Graph, tuple[Any, ...]]]


class Placer:
    """Finds or makes the graphs of metrics.

    Args:
        graph: makes the graph of a title and a kind: `Session.graph`.
        places: a person's own places by name, which win over the rule.
    """

    def __init__(self, graph: Callable[..., Graph], places: Mapping[str, Placement]) -> None:
        self._graph = graph
        self._places = places
        self._next_x = 0
        self._placed: dict[tuple[Any, ...], Placed] = {}

    def append(self, metrics: Mapping[str, Any], x: Any) -> None:
        """Add values to their graphs; without an x, one after that of the last call."""
        if x is None:
            x = self._next_x
        self._next_x = x + 1 if type(x) is int else (to_x(x) or 0) + 1
        given = tuple(metrics)
        for graph, names in self._placed.get(given) or self._place(given):
            graph.append_some(x, names, metrics)

    def _place(self, names: tuple[Any, ...]) -> Placed:
        """Each graph with those of the names that are drawn on it."""
        titles: dict[str, list[Any]] = {}
        kinds: dict[str, str | None] = {}
        for name in names:
            placement = place(plain_name(name), self._places)
            titles.setdefault(placement.title, []).append(name)
            kinds.setdefault(placement.title, placement.kind)
        placed = [(self._graph(title, kind=kinds[title]), tuple(members)) for title, members in titles.items()]
        if len(self._placed) < REMEMBERED:
            self._placed[names] = placed
        return placed
