"""Translate the points of v1 calls into records. Pure: no database, no request.

A point that makes no sense is noted and left out; those beside it are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from losswise.protocol import records as format_
from losswise.protocol.limits import INT64_MAX, INT64_MIN, LATEST_TIME_S, MAX_NAME_LENGTH, MAX_NAMES, MAX_SESSION_NAMES
from losswise.protocol.records import NOT_FINITE, Record

from ..exceptions import BadRecord
from ..ingest.session_fields import cut
from ..points.incoming import TOO_MANY_NAMES
from .v1_refusals import Refusals

# Points times names of a record: points with different names are not stretched to columns that are mostly empty.
MAX_RECORD_VALUES = 50_000
VALUES = "values of points"  # under what they are counted


class Point(NamedTuple):
    """A point of a v1 call; `what` names it in messages."""

    what: str
    session: str
    graph: str
    x: int
    t: float
    y: dict[str, Any]


def read(entries: list[Any], now: float, refusals: Refusals) -> list[Point]:
    """The points of a list that make sense; the others, and values that are no numbers, are noted."""
    found = []
    for number, entry in enumerate(entries, 1):
        what = f"point {number} of {len(entries)}"
        session = entry.get("session_id") if isinstance(entry, dict) else None
        session = session if isinstance(session, str) else None
        try:
            point, bad_names = _point(entry, what, now)
        except BadRecord as error:
            refusals.note(session, what, str(error))
            continue
        found.append(point)
        if bad_names:
            words = f"{what}, value {bad_names[0][:60]!r}"
            refusals.note(session, words, "it is not a number", VALUES, len(bad_names))
    return found


def _point(entry: Any, what: str, now: float) -> tuple[Point, list[str]]:
    """The point, and the names whose values are not numbers. Raises BadRecord."""
    if not isinstance(entry, dict):
        raise BadRecord("it must be an object")
    for name in ("session_id", "graph_id"):
        if not isinstance(entry.get(name), str):
            raise BadRecord(f"'{name}' is missing")
    y, t = entry.get("y"), entry.get("time")
    x = whole_number(entry.get("x"))
    if not isinstance(y, dict):
        raise BadRecord("'y' must be an object of numbers")
    if not isinstance(t, (int, float)) or not 0 <= t <= LATEST_TIME_S:
        t = now
    values: dict[str, Any] = {}
    bad_names: list[str] = []
    for name, value in y.items():
        if isinstance(value, (int, float)) or value in NOT_FINITE:
            values[cut(name, MAX_NAME_LENGTH)] = int(value) if isinstance(value, bool) else value
        elif value is not None:
            bad_names.append(name)
    return Point(what, entry["session_id"], entry["graph_id"], x, t, values), bad_names


def whole_number(value: Any) -> int:
    """An x of a v1 call. Raises BadRecord unless it is a whole number of 64 bits."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not INT64_MIN <= value <= INT64_MAX:
        raise BadRecord("'x' must be a whole number")
    return value


class NameRoom:
    """How many more names the graphs of a session may have.

    Args:
        count: returns how many they have; called when a name is new.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._left: int | None = None

    def take(self, wanted: int) -> int:
        """Take room for new names; returns for how many of them there is room."""
        if self._left is None:
            self._left = max(0, MAX_SESSION_NAMES - self._count())
        taken = min(wanted, self._left)
        self._left -= taken
        return taken


def to_records(
    points: Iterable[Point], names: Mapping[str, list[str]], room: NameRoom, refusals: Refusals
) -> Iterator[Record]:
    """Points records of one session, each with points of one graph in their order.

    Args:
        names: of each graph that the session has, by its id. Points of other graphs, and names beyond the limits, are
            noted.
    """
    graphs: dict[str, _GraphColumns] = {}
    for point in points:
        if point.graph not in names:
            refusals.note(point.session, f"{point.what}, graph {point.graph[:40]}", "this session has no such graph")
            continue
        if point.graph not in graphs:
            graphs[point.graph] = _GraphColumns(point.graph, names[point.graph], room)
        graph = graphs[point.graph]
        if lacking := graph.names_without_room(point.y):
            what = f"{point.what}, name {lacking[0][:60]!r}"
            refusals.note(point.session, what, TOO_MANY_NAMES, VALUES, len(lacking))
        yield from graph.add(point, set(lacking))
    for graph in graphs.values():
        yield from graph.take()


class _GraphColumns:
    """Collects the points of one graph into columns."""

    def __init__(self, id_: str, names: list[str], room: NameRoom) -> None:
        self._id = id_
        self._room = room
        self._known = set(names)
        self._clear()

    def _clear(self) -> None:
        self._x: list[int] = []
        self._t: list[float] = []
        self._y: dict[str, list[Any]] = {}

    def names_without_room(self, names: Iterable[str]) -> list[str]:
        """The new names that would be too many for the graph or its session; the others are known from now on."""
        new = [name for name in names if name not in self._known]
        if not new:
            return []
        room = self._room.take(min(len(new), max(0, MAX_NAMES - len(self._known))))
        self._known.update(new[:room])
        return new[room:]

    def add(self, point: Point, without: set[str]) -> Iterator[Record]:
        """Add a point without some of its names; yields a record if it would get too large otherwise."""
        y = {name: value for name, value in point.y.items() if name not in without} if without else point.y
        if not y:
            return
        new = [name for name in y if name not in self._y]
        if self._x and (len(self._x) + 1) * (len(self._y) + len(new)) > MAX_RECORD_VALUES:
            yield from self.take()
            new = list(y)
        for name in new:
            self._y[name] = [None] * len(self._x)
        self._x.append(point.x)
        self._t.append(point.t)
        for name, column in self._y.items():
            column.append(y.get(name))

    def take(self) -> Iterator[Record]:
        """The record of the points so far; none if there are none."""
        if self._x:
            yield format_.points_record(self._id, self._x, self._t, self._y)
            self._clear()
