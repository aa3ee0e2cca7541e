"""The live events' bodies, read from the database."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from ..db.engine import reading
from ..points import store
from ..sessions.listing import read_session_row
from .changes import Change
from .subscribers import event

POINTS_MOST = 200
EVENT_POINTS_MOST = 2_000
SCANNED_MOST = 4_000
"""A graph's new points are looked for among so many."""


class Sent(NamedTuple):
    """Up to where a session's points were sent: its version, and how many points had arrived."""

    version: int
    arrivals: int


def session_event(change: Change) -> bytes:
    """The session's row as the table shows it, with its project's id, or that it is gone."""
    if not change.deleted:
        with reading() as connection:
            row = read_session_row(connection, change.session)
        if row is not None:
            return event("session", {**row, "project_id": change.project})
    return event("deleted", {"id": change.session, "project_id": change.project})


def points_event(change: Change, sent: Sent | None) -> tuple[bytes | None, Sent]:
    """The points of the change that come after what was `sent`; also what is sent now.

    What is committed by now and not in the change is left to its own change. Each point carries its number of
    arrival, `n`: a page that asked for the series in between takes those that it does not have. Where graphs are too
    many to name, or points were taken back, `graphs` is None, and so is a graph with too many points, alone or with
    those before it, or among too many others: the page asks for the series again.
    """
    if sent is not None and change.version <= sent.version:
        return None, sent
    start, first_arrival = change.before, change.first_arrival
    if sent is not None and sent.version > start:
        start, first_arrival = sent.version, sent.arrivals
    graphs: dict[str, Any] | None = None
    if change.graphs is not None and not change.rewound:
        graphs, left = {}, EVENT_POINTS_MOST
        with reading(in_order=True) as connection:
            for number, (graph, lowest, highest) in change.graphs.items():
                most = min(left, POINTS_MOST)
                place = {"session_key": change.session_key, "graph": int(number), "lowest": lowest, "highest": highest}
                count, graphs[graph] = 0, None
                if not _is_crowded(connection, place):
                    count, graphs[graph] = _new_points(connection, place, first_arrival, change.arrivals, most)
                left -= count
    return _points(change, start, graphs), Sent(change.version, change.arrivals)


def unread_event(change: Change) -> tuple[bytes, Sent]:
    """The change without its points, which could not be read: the page asks for the series again."""
    return _points(change, change.before, None), Sent(change.version, change.arrivals)


def _points(change: Change, start: int, graphs: dict[str, Any] | None) -> bytes:
    body = {
        "session": change.session,
        "from": start,
        "to": change.version,
        "arrivals": change.arrivals,
        "graphs": graphs,
    }
    return event("points", body)


_SCANNED = text(
    "SELECT count(*) FROM (SELECT 1 FROM points WHERE session_key = :session_key AND graph = :graph "
    "AND x BETWEEN :lowest AND :highest ORDER BY x LIMIT :most) AS near"
)


def _is_crowded(connection: Connection, place: dict[str, int]) -> bool:
    """Whether a graph has so many points among the new ones that these are not looked for.

    Points are found by x and not by arrival: new ones may lie far apart, or each at a step with a thousand others.
    """
    found = connection.execute(_SCANNED, {**place, "most": SCANNED_MOST + 1}).scalar_one()
    return int(found) > SCANNED_MOST


def _new_points(
    connection: Connection, place: dict[str, int], first_arrival: int, arrivals: int, most: int
) -> tuple[int, dict[str, Any] | None]:
    """How many points are told of a graph, and they; 0 and None where there are more than `most`."""
    points = store.select(
        connection,
        where="AND x BETWEEN :lowest AND :highest AND arrival >= :first_arrival AND arrival < :arrivals",
        tail="LIMIT :most",
        first_arrival=first_arrival,
        arrivals=arrivals,
        most=most + 1,
        **place,
    )
    series: dict[str, dict[str, list[Any]]] = {}
    count = 0
    for x, arrival, t, y in points:
        count += 1
        for name, value in y.items():
            columns = series.setdefault(name, {"x": [], "y": [], "t": [], "n": []})
            for column, part in zip(("x", "y", "t", "n"), (x, value, t, arrival), strict=True):
                columns[column].append(part)
    return (count, {"series": series}) if count <= most else (0, None)
