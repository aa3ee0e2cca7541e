"""A graph of a session: named quantities over x."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, overload

from losswise.protocol.limits import KINDS
from losswise.protocol.records import Record, graph_id, graph_record
from losswise.recording.point_buffer import HEAD, MAX_COLUMNS, MAX_TAKEN, PLAIN, Columns, Points, merge
from losswise.util.guard import guarded
from losswise.util.messages import say_once
from losswise.util.uncopyable import Single
from losswise.values.errors import safely
from losswise.values.jsonable import name as plain_name
from losswise.values.scalars import is_slow, keep, to_float, to_x

if TYPE_CHECKING:
    from losswise.recording.recorder import Outbox

_now = time.time


class _Entry:
    """A point that is not plain numbers.

    Attributes:
        is_slow: its values may not be computed yet, so that to read them is to wait.
    """

    __slots__ = ("is_slow", "number", "t", "x", "y")

    def __init__(self, number: int, x: Any, t: float, y: Any) -> None:
        self.number, self.x, self.t, self.y = number, x, t, y
        self.is_slow = is_slow(x) or (isinstance(y, dict) and any(map(is_slow, y.values())))

    def read(self) -> None:
        """Wait for the values. What is no number stays what it is, for the warning."""
        try:
            whole = to_x(self.x)
            self.x = self.x if whole is None else whole
            for name, value in self.y.items() if isinstance(self.y, dict) else ():
                number = to_float(value)
                if number is not None:
                    self.y[name] = number
        finally:
            self.is_slow = False


class Graph(Single):
    """One graph of a session. Made by `Session.graph`, not by hand.

    Attributes:
        id: 20 hex digits, the same for the same title of the same session in every process.
        title: what stands above it.
        kind: 'min', 'max' or None; which statistic is a column of the session table.
        display_interval: None (every point is sent) or N (every Nth point of each set of names is).

    Example:
        >>> graph = session.graph("loss", kind="min")
        >>> graph.append(0, {"train_loss": 2.3, "val_loss": 2.4})
    """

    def __init__(
        self,
        outbox: Outbox | None,
        id: str,
        title: str,
        xlabel: str = "",
        ylabel: str = "",
        kind: str | None = None,
        display_interval: int | None = None,
    ) -> None:
        self.id = id
        self.title = title
        self.xlabel = xlabel
        self.ylabel = ylabel
        self.kind = kind
        self.display_interval = display_interval
        self._outbox = outbox
        self._every = display_interval if display_interval and display_interval > 1 else None
        self._seen: dict[Any, int] = {}
        self._clear()
        self._own_x = itertools.count()

    @overload
    def append(self, x: int | float, y: Mapping[str, Any]) -> None: ...
    @overload
    def append(self, x: Mapping[str, Any]) -> None: ...
    def append(self, x: Any, y: Any = None) -> None:
        """Add a point. Takes about a microsecond, never waits for the network and never raises.

        Args:
            x: a whole number (64 bits), such as the step. Left out, the graph counts its appends from 0.
            y: the values by name: Python, NumPy, Torch, JAX, TensorFlow or Keras scalars. NaN and
                infinities are kept. What cannot be a number is skipped, with one warning.

        Example:
            >>> graph.append(17, {"train_loss": 0.31})
            >>> graph.append({"train_loss": 0.31})
        """
        outbox = self._outbox
        if outbox is None:
            return
        try:
            if y is None:
                x, y = next(self._own_x), x
            if self._every and self._is_thinned(y):
                return
            columns = self._columns[tuple(y)]
            for value in y.values():
                if not isinstance(value, PLAIN):
                    raise TypeError
            if type(x) is not int:
                raise TypeError
            # packing fails before anything is added, where an int does not fit
            columns.rows.extend(columns.pack(next(self._numbers), x, _now(), *y.values()))
            if outbox.signal:
                outbox.attend()
        except Exception:
            self._append_other(x, y)

    @guarded("adding a point")
    def _append_other(self, x: Any, y: Any) -> None:
        """The side way: the first point of a set of names, and whatever is not a plain number."""
        outbox = self._outbox
        if outbox is None:
            return
        values = {key: keep(value) for key, value in y.items()} if hasattr(y, "items") else y
        self._side.append(_Entry(next(self._numbers), keep(x), _now(), values))
        if isinstance(values, dict):
            self._open_columns(tuple(values))
        if outbox.signal:
            outbox.attend()

    def _open_columns(self, names: tuple[Any, ...]) -> None:
        is_new = names and names not in self._columns and len(self._columns) < MAX_COLUMNS
        if is_new and all(type(name) is str and plain_name(name) == name for name in names):
            self._columns.setdefault(names, Columns(names))  # another thread may be as far

    def _is_thinned(self, y: Any) -> bool:
        names = tuple(y)
        seen = self._seen.get(names, 0)
        self._seen[names] = seen + 1
        return seen % (self._every or 1) != 0

    def _clear(self) -> None:
        """Forget what was not taken: at the start, and in a forked child, where the parent sends it."""
        self._numbers = itertools.count() if self._outbox is None else self._outbox.numbers
        self._columns: dict[Any, Columns] = {}
        self._side: deque[_Entry] = deque()
        self._received: list[Points] = []

    def record(self) -> Record:
        """What the server is told of this graph."""
        return graph_record(self.id, self.title, self.xlabel, self.ylabel, self.kind)

    def waiting(self) -> int:
        """Bytes that wait for the scribe (points of the side way count as 500 each)."""
        return sum(columns.waiting() for columns in list(self._columns.values())) + 500 * (
            len(self._side) + len(self._received)
        )

    def held(self) -> int:
        """Bytes in memory."""
        received = sum(8 * (HEAD + len(points.y)) * len(points.x) for points in self._received)
        return sum(columns.held() for columns in list(self._columns.values())) + 500 * len(self._side) + received

    def is_slow(self) -> bool:
        """Whether points wait whose values an accelerator may still be computing."""
        return any(entry.is_slow for entry in list(self._side))

    def read_slow(self) -> None:
        """Wait for the values of such points, and read them. Called on a thread of its own."""
        for entry in list(self._side):
            if entry.is_slow:
                entry.read()

    def let_go(self, is_last: bool) -> None:
        """Whether this is the last that is taken; see `Columns.is_last`."""
        for columns in list(self._columns.values()):
            columns.is_last = is_last

    def leave_out_slow(self) -> None:
        """Forget points whose values are not computed yet, so that those behind them are not lost, too."""
        for _ in range(len(self._side)):
            entry = self._side.popleft()
            if not entry.is_slow:
                self._side.append(entry)

    def take(self, limit: int) -> Points | None:
        """Take out, in the order in which they came, points with a number below `limit`.

        Not all at once where there are many: call it until it returns None. A point whose values are not ready
        yet keeps those behind it back.
        """
        while True:
            parts, skipped = self._take_parts(limit)
            if parts or not skipped:
                return merge(parts) if parts else None

    def _take_parts(self, limit: int) -> tuple[list[Points], int]:
        """What is taken at once, and how many points of the side way were taken and are no numbers."""
        side, limit = self._take_side(limit)
        for columns in list(self._columns.values()):
            number = columns.number_beyond()
            limit = limit if number is None else min(limit, number)
        parts = [part for columns in list(self._columns.values()) if (part := columns.take(limit))]
        parts.extend(self._take_received(limit))
        while side and side[-1].number >= limit:
            self._side.appendleft(side.pop())
        read = self._read_side(side)
        return parts + read, len(side) - sum(len(part.x) for part in read)

    def receive(self, points: Points) -> None:
        """Take over points of a buffer that several graphs share. Called by the scribe."""
        self._received.append(points)

    def _take_received(self, limit: int) -> list[Points]:
        if not self._received:
            return []
        parts = [points.split(limit) for points in self._received]
        self._received = [later for _now, later in parts if later]
        return [now for now, _later in parts if now]

    def _take_side(self, limit: int) -> tuple[list[_Entry], int]:
        """Points of the side way that are ready, from the front; and the number at which to stop."""
        taken: list[_Entry] = []
        for _ in range(min(len(self._side), MAX_TAKEN)):
            entry = self._side.popleft()
            if entry.number >= limit or entry.is_slow:
                self._side.appendleft(entry)
                return taken, min(limit, entry.number)
            taken.append(entry)
        if self._side:
            limit = min(limit, self._side[0].number)
        return taken, limit

    def _read_side(self, entries: list[_Entry]) -> list[Points]:
        parts: dict[tuple[str, ...], tuple[list[int], list[int], list[float], list[list[float]]]] = {}
        for entry in entries:
            point = self._read(entry)
            if point is None:
                continue
            number, x, t, values = point
            numbers, xs, ts, rows = parts.setdefault(tuple(values), ([], [], [], []))
            numbers.append(number)
            xs.append(x)
            ts.append(t)
            rows.append(list(values.values()))
        return [
            Points(numbers, xs, ts, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
            for names, (numbers, xs, ts, rows) in parts.items()
        ]

    def _read(self, entry: _Entry) -> tuple[int, int, float, dict[str, float]] | None:
        """A point of the side way as numbers, or None with a warning where nothing of it is one."""
        number, x, t, y = entry.number, entry.x, entry.t, entry.y
        place = f"graph {self.title!r}"
        if not isinstance(y, dict):
            say_once(("y", self.id), f"{place}: append takes (x, {{name: value}}), not {_short(y)}; skipped")
            return None
        whole = to_x(x)
        if whole is None:
            say_once(("x", self.id), f"{place}: x must be a whole number of 64 bits, not {_short(x)}; skipped")
            return None
        values: dict[str, float] = {}
        for name, value in y.items():
            read = to_float(value)
            if read is None:
                say_once(
                    ("value", self.id, name),
                    f"{place}: the value of {_short(name)} is not a number ({_short(value)}); skipped",
                )
                continue
            values[plain_name(name)] = read
        return (number, whole, t, values) if values else None

    @guarded("showing a graph", default="<losswise.Graph>")
    def __repr__(self) -> str:
        return f"<losswise.Graph {self.title!r} of session {self._outbox.session_id if self._outbox else '-'}>"


def made(
    outbox: Outbox | None,
    session_id: str,
    title: str,
    xlabel: Any,
    ylabel: Any,
    kind: Any,
    display_interval: Any,
) -> Graph:
    """A graph as a person asked for it; what cannot be is left out, with one warning."""
    if kind is not None and kind not in KINDS:
        say_once(("kind", session_id, title), f"graph {title!r}: kind is 'min', 'max' or None, not {kind!r}")
        kind = None
    interval = to_x(display_interval) if display_interval is not None else None
    labels = safely(plain_name, xlabel, ""), safely(plain_name, ylabel, "")
    return Graph(outbox, graph_id(session_id, title), title, *labels, kind, interval)


def nowhere(title: str) -> Graph:
    """A graph whose points go nowhere, for a session that cannot record."""
    graph = object.__new__(Graph)
    graph._outbox = None
    graph.title = title
    return graph


def _short(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:60] + "…"
