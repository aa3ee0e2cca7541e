"""Which graphs the values of `Session.log` go to: the naming rule, remembered for each set of names."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from losswise.graph import Graph
from losswise.naming import Placement, place
from losswise.recording.point_buffer import MAX_COLUMNS, PLAIN, Spread
from losswise.util.guard import guarded
from losswise.values.jsonable import name as plain_name
from losswise.values.scalars import is_slow, to_x

if TYPE_CHECKING:
    from losswise.recording.recorder import Outbox
    from losswise.session import Session

REMEMBERED = 1_000
"""Sets of names that are placed once and for all."""

_now = time.time

Placed = list[tuple[Graph, tuple[Any, ...]]]


class Placer:
    """Finds or makes the graphs of metrics.

    Args:
        graph: makes the graph of a title and a kind: `Session.graph`.
        places: a person's own places by name, which win over the rule.

    Attributes:
        outbox: where points go; None: nowhere.
        labels: what stands at the axes of the graph that a name is the first of: those of x and y.
    """

    def __init__(self, graph: Callable[..., Graph], places: Mapping[str, Placement]) -> None:
        self.outbox: Outbox | None = None
        self.labels: Callable[[str], tuple[str, str]] = lambda name: ("", "")
        self._graph = graph
        self._places = places
        self._next_x = 0
        self._placed: dict[tuple[Any, ...], Placed] = {}

    def append(self, metrics: Mapping[str, Any], x: Any) -> None:
        """Add values to their graphs; without an x, one after that of the last call."""
        outbox = self.outbox
        if outbox is None:
            return
        try:
            spread = outbox.spreads[tuple(metrics)]
            values = metrics.values()
            for value in values:
                if not isinstance(value, PLAIN):
                    raise TypeError
            if x is None:
                x = self._next_x
            if type(x) is not int:
                raise TypeError
            # packing fails before anything is added, where an int does not fit
            spread.rows.extend(spread.pack(next(outbox.numbers), x, _now(), *values))
            self._next_x = x + 1
            if outbox.signal:
                outbox.attend()
        except Exception:
            self._append_to_each(metrics, x)

    @guarded("logging")
    def _append_to_each(self, metrics: Mapping[str, Any], x: Any) -> None:
        """The side way: the first time of a set of names, and whatever is not plain numbers."""
        if x is None:
            x = self._next_x
        whole = None if is_slow(x) else to_x(x)
        if whole is not None:
            self._next_x = whole + 1
        given = tuple(metrics)
        placed = self._placed.get(given) or self._place(given)
        for graph, names in placed:
            graph.append(x, {name: metrics[name] for name in names})
        self._open_spread(given, placed)

    def _open_spread(self, names: tuple[Any, ...], placed: Placed) -> None:
        outbox = self.outbox
        if outbox is None or outbox.closed or len(outbox.spreads) >= MAX_COLUMNS:
            return
        is_plain = names and all(type(name) is str and plain_name(name) == name for name in names)
        if is_plain and not any(graph.display_interval for graph, _names in placed):
            spread = Spread(names, [(graph.receive, members) for graph, members in placed])
            outbox.spreads.setdefault(names, spread)  # another thread may be as far
            if outbox.closed:
                outbox.spreads.clear()

    def _place(self, names: tuple[Any, ...]) -> Placed:
        """Each graph with those of the names that are drawn on it."""
        titles: dict[str, list[Any]] = {}
        options: dict[str, tuple[str, str, str | None]] = {}
        for name in names:
            plain = plain_name(name)
            placement = place(plain, self._places)
            titles.setdefault(placement.title, []).append(name)
            options.setdefault(placement.title, (*self.labels(plain), placement.kind))
        placed = [(self._graph(title, *options[title]), tuple(members)) for title, members in titles.items()]
        if len(self._placed) < REMEMBERED:
            self._placed[names] = placed
        return placed


def label_axes(session: Session, labels: Callable[[str], tuple[str, str]]) -> None:
    """Have `session.log` label the axes of the graphs that it makes.

    Args:
        labels: tells, of a name, the label of x and that of y.
    """
    session._placer.labels = labels


def last_x(session: Session) -> int:
    """The x of the last `session.log`; 0 before the first."""
    return max(0, session._placer._next_x - 1)
