"""The first rows of the session table, as the page contains them: they can be read before a script runs, and without.

Scripts then draw the same sessions anew, without a request, since the page also contains them as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from losswise.protocol.records import storable_text

from ..exceptions import ApiError
from ..sessions.listing import list_sessions
from ..sessions.places import CURRENT
from ..sessions.row_values import Session, done_at, elapsed, entry_at, statistic
from .filters import anything, duration

ROWS = 60
"""More than are drawn at first, so that no others are asked for before the table is scrolled."""
MAX_BYTES = 256 * 1024
"""More JSON than this is not put into the page: scripts ask for it."""
MAX_STATISTICS = 6
MAX_TEXT_CHARS = 300
NOTHING = "\N{EN DASH}"


class Cell(NamedTuple):
    """The text of a cell, or a time (unix seconds)."""

    text: str = ""
    time: float | None = None


class Column(NamedTuple):
    """A column of the table, as scripts know it (table/fixed_columns.js, table/columns.js).

    Attributes:
        width: in pixels.
        is_number: whether it is aligned right.
    """

    key: str
    label: str
    width: int
    cell: Callable[[Session], Cell]
    is_number: bool = False
    is_shown: bool = True


class FirstRows(NamedTuple):
    """What the page contains of the table.

    Attributes:
        rows: of each session its id and its cells.
        json: {"asked", "page"}: what was asked for, and what the API answers (sessions.listing.list_sessions); None if
            it is too long.
    """

    columns: list[Column]
    rows: list[tuple[Session, list[Cell]]]
    json: str | None


def first_rows(
    connection: Connection, project: int, address: MultiDict[str, str], layout: Mapping[str, Any], now: float
) -> FirstRows | None:
    """The first rows of a project's table; None if there are none.

    Args:
        address: the page's arguments: q, status, in, sort, by.
        layout: the columns that the person has chosen, see api.preferences.
        now: unix seconds.
    """
    asked = {name: storable_text(address.get(name, "")) for name in ("q", "status", "sort", "in")}
    try:
        page = list_sessions(
            connection,
            [project],
            limit=ROWS,
            q=asked["q"],
            status=asked["status"] or None,
            place=asked["in"] or CURRENT,
            sort=asked["sort"],
        )
    except ApiError:
        return None  # scripts ask again, and show what is wrong
    sessions = page["sessions"]
    columns = _columns(sessions, layout, now)
    # "<" would end the element that contains it
    body = msgspec.json.encode({"asked": asked, "page": page}).decode().replace("<", "\\u003c")
    # scripts draw groups
    shown = [] if "by" in address else sessions
    rows = [(session, [column.cell(session) for column in columns]) for session in shown]
    return FirstRows(columns, rows, body if len(body) <= MAX_BYTES else None) if sessions else None


def _columns(sessions: list[Session], layout: Mapping[str, Any], now: float) -> list[Column]:
    """The columns that scripts would show, in the person's order."""
    shown: Mapping[str, bool] = layout.get("shown", {})
    chosen = [column for key, is_shown in shown.items() if is_shown and (column := _chosen(key))]
    values = {f"values.{name}": None for session in sessions for name in session["values"] or {}}
    fixed = list(_fixed(any(session["tags"] for session in sessions), now))
    found = [*_statistics(sessions), *(column for key in values if (column := _chosen(key)))]
    # statistics, params, values: in each group those that are chosen come first
    unique = list({column.key: column for column in (*fixed, *chosen, *found)}.values())
    if layout.get("differing"):
        unique = [column for column in unique if not column.key.startswith("params.")]
    groups = ("params.", "values.")
    unique.sort(key=lambda column: next((1 + at for at, group in enumerate(groups) if column.key.startswith(group)), 0))
    columns = [column for column in unique if shown.get(column.key, column.is_shown)]
    widths = layout.get("widths", {})
    return [
        column._replace(width=widths.get(column.key, column.width))
        for column in _arranged(columns, layout.get("order", []), layout.get("pinned", []))
    ]


def _arranged(columns: list[Column], order: list[str], pinned: list[str]) -> list[Column]:
    """The columns in the person's order, as `arranged` in layout.js: those that are not in it follow the one before."""
    by_key = {column.key: column for column in columns}
    placed = [by_key[key] for key in order if key in by_key]
    for at, column in enumerate(columns):
        if column not in placed:
            before = next((other for other in reversed(columns[:at]) if other in placed), None)
            placed.insert(placed.index(before) + 1 if before else 0, column)
    ranks = {"pick": 0, "tag": 1, **dict.fromkeys((key for key in pinned if key not in ("pick", "tag")), 2)}
    return sorted(placed, key=lambda column: ranks.get(column.key, 3))


def _fixed(has_tags: bool, now: float) -> Iterator[Column]:
    def duration_of(session: Session) -> Cell:
        return Cell(duration(elapsed(session, now)))

    def text(name: str) -> Callable[[Session], Cell]:
        return lambda session: Cell(str(session[name] or NOTHING)[:MAX_TEXT_CHARS])

    yield Column("pick", "", 38, lambda session: Cell())
    yield Column("tag", "Tag", 216, lambda session: Cell(session["tag"] or f"session {session['id'][:4]}"))
    yield Column("status", "Status", 250, lambda session: Cell(session["status"]))
    yield Column("progress", "Progress", 124, lambda session: Cell(percent(session["progress"])))
    yield Column("iter", "Iter", 88, lambda session: Cell(measured(session["last_x"])), is_number=True)
    yield Column("elapsed", "Elapsed", 98, duration_of)
    yield Column("done", "Done at", 134, lambda session: Cell(time=done_at(session)))
    yield Column("created", "Started", 124, lambda session: Cell(time=session["created_at"]), is_shown=False)
    yield Column("id", "Id", 180, text("id"), is_shown=False)
    yield Column("group", "Group", 120, text("group"), is_shown=False)
    yield Column("tags", "Tags", 170, lambda session: Cell(", ".join(session["tags"])), is_shown=has_tags)
    yield Column("note", "Note", 220, text("note"), is_shown=False)
    yield Column("commit", "Commit", 96, lambda session: Cell((session["commit"] or NOTHING)[:8]), is_shown=False)
    for name, width in (("branch", 140), ("host", 140), ("user", 110)):
        yield Column(name, name.capitalize(), width, text(name), is_shown=False)


def _statistics(sessions: list[Session]) -> Iterator[Column]:
    """The minimum or maximum of the metrics of graphs that say which is the best: the first ones are shown."""
    keys: dict[str, None] = {}
    for session in sessions:
        for graph in session["graphs"]:
            for name in graph["names"] if graph["kind"] else ():
                if name != "x" or len(graph["names"]) == 1:  # x may be what the client stores of steps with fractions
                    long = f"{graph['title']}/{name}"
                    keys[f"{graph['kind']}({long if long in session['stats'] else name})"] = None
    for place, key in enumerate(keys):
        yield _statistic(key)._replace(is_shown=place < MAX_STATISTICS)


def _statistic(key: str) -> Column:
    return Column(key, key, width_of(key), lambda session: Cell(measured(statistic(session, key))), True)


def _chosen(key: str) -> Column | None:
    """The column of a statistic, a param or a value that the person has chosen."""
    group, dot, name = key.partition(".")
    if dot and group in ("params", "values"):
        write = measured if group == "values" else _short
        return Column(key, name, width_of(name), lambda session: Cell(write(entry_at(session[group], name))), True)
    is_statistic = key.endswith(")") and key.partition("(")[0] in ("min", "max", "last", "count")
    return _statistic(key) if is_statistic else None


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else anything(value)[:MAX_TEXT_CHARS]


def width_of(label: str) -> int:
    """The width of a column with this label in pixels, as `widthFor` in columns.js."""
    return round(min(280, max(88, 40 + 7.1 * len(label))))


def percent(progress: float | None) -> str:
    return NOTHING if progress is None else f"{math.floor(progress * 100)}%"


def measured(value: Any) -> str:
    """A measured value in few digits, as `number` in format.js.

    >>> measured(0.08712), measured(18940.2), measured(1.5e-5), measured(12), measured("Infinity")
    ('0.0871', '18,940', '1.50e-5', '12', '∞')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return anything(value)[:MAX_TEXT_CHARS]
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-3:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{digits}e{int(exponent)}"
    if size >= 1000 or value == int(value):
        return f"{round(value):,}"
    return f"{value:.{1 if size >= 100 else 2 if size >= 10 else 3 if size >= 1 else 4}f}"
