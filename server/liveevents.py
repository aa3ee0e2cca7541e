"""The live events' bodies, read from the database."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from . import pointstore
from .database import reading
from .live import Change
from .sessionlist import read_session_row
from .streams import event

POINTS_MOST = 200
EVENT_POINTS_MOST = 2_000


class Sent(NamedTuple):
    """Up to where a session's points were sent: its version, and how many points had arrived."""

    version: int
    arrivals: int


def session_event(change: Change) -> bytes:
    """The session's row as the table shows it, with its project's id, or that it is gone."""
    if not change.deleted:
        with reading() as connection:
            row = read_session_row(connection, change.session, time.time())
        if row is not None:
            return event("session", {**row, "project_id": change.project})
    return event("deleted", {"id": change.session, "project_id": change.project})


def points_event(change: Change, sent: Sent | None) -> tuple[bytes | None, Sent]:
    """The points that came with the change and after what was `sent`; also what is sent now.

    The version is read together with the points, so it may be later than the change's. Each point carries its
    number of arrival, `n`: a page that asked for the series in between takes those that it does not have. Where
    graphs are too many to name, or points were taken back, `graphs` is None, and so is a graph with too many
    points, alone or with those before it: the page asks for the series again.
    """
    with reading() as connection:
        now = Sent(*_version(connection, change.session_key))
        if sent is not None and now.version <= sent.version:
            return None, sent
        start, first_arrival = change.before, change.first_arrival
        if sent is not None and sent.version > start:
            start, first_arrival = sent.version, sent.arrivals
        graphs: dict[str, Any] | None = None
        if change.graphs is not None and not change.rewound:
            graphs, left = {}, EVENT_POINTS_MOST
            for number, (graph, lowest) in change.graphs.items():
                most = min(left, POINTS_MOST)
                count, graphs[graph] = _new_points(
                    connection, change.session_key, int(number), lowest, first_arrival, most
                )
                left -= count
    body = {
        "session": change.session,
        "from": start,
        "to": now.version,
        "arrivals": now.arrivals,
        "graphs": graphs,
    }
    return event("points", body), now


def _version(connection: Connection, session_key: int) -> tuple[int, int]:
    query = text("SELECT version, arrivals FROM sessions WHERE key = :key")
    row = connection.execute(query, {"key": session_key}).first()
    return (0, 0) if row is None else (row.version, row.arrivals)


def _new_points(
    connection: Connection, session_key: int, number: int, lowest: int, first_arrival: int, most: int
) -> tuple[int, dict[str, Any] | None]:
    """How many points are told of a graph, and they; 0 and None where there are more than `most`."""
    points = pointstore.select(
        connection,
        session_key,
        number,
        "AND x >= :lowest AND arrival >= :first_arrival",
        "LIMIT :most",
        lowest=lowest,
        first_arrival=first_arrival,
        most=most + 1,
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
