"""Build the bodies of live events from the database.

A `points` event says from which session version to which it leads, and each of its points carries its sequence number
within the session (`n`, the order of arrival). Pages need both: there is no event log, so a page that has asked for the
series in between, or has missed an event, tells by them what it has. docs/live.md describes the rules.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..db.engine import reading
from ..points import recent
from ..sessions import row_changes
from ..sessions.listing import read_session_row
from .changes import Change
from .subscribers import event

MAX_GRAPH_POINTS = 200
MAX_EVENT_POINTS = 2_000


class Sent(NamedTuple):
    """The part of a session that has been sent: its version, and the sequence number of the next point to arrive."""

    version: int
    next_sequence: int


def session_event(change: Change) -> bytes:
    """The event for a changed session, or that it is deleted.

    For the pages of a project that it was moved away from it is deleted, too. Otherwise the event holds the session's
    row as in the list, with `new` if these changes have created the session; or, if it is known what has changed of a
    large session, that, and from which version it leads to which.
    """
    read = None
    if not change.deleted:
        with reading() as connection:
            read = _read_row(connection, change)
    if read is None or read.body["project_id"] != change.project:
        return event("deleted", {"id": change.session, "project_id": change.project})
    if read.is_whole:
        return event("session", {**read.body, "new": change.before == 0})
    # The row may be of a later version, but other graphs that have changed by then come with their own change.
    return event("change", {**read.body, "from": change.before, "version": change.version})


def _read_row(connection: Connection, change: Change) -> row_changes.Read | None:
    if change.before > 0 and change.graphs is not None and not change.rewound:
        parts = row_changes.Parts(change.graphs, change.described, change.fields)
        return row_changes.read(connection, change.session, parts)
    row = read_session_row(connection, change.session)
    return None if row is None else row_changes.Read(row, True)


def points_event(change: Change, sent: Sent | None) -> tuple[bytes | None, Sent]:
    """The event for the points of a change that were not sent before.

    Points that are committed by now but belong to a later change are left to that change. A graph is null in the event
    if it has too many new points, or if they are too expensive to find; all of `graphs` is null if the change does not
    name its graphs or takes points back. The page then asks for the series again.

    Returns:
        The event, None if everything was sent before; and what has been sent with it.
    """
    if sent is not None and change.version <= sent.version:
        return None, sent
    start, first_sequence = change.before, change.first_sequence
    if sent is not None and sent.version > start:
        start, first_sequence = sent.version, sent.next_sequence
    graphs = None
    if change.graphs is not None and not change.rewound:
        with reading(in_order=True) as connection:
            graphs = _new_points(connection, change, first_sequence)
    return _points_body(change, start, graphs), Sent(change.version, change.next_sequence)


def unread_event(change: Change) -> tuple[bytes, Sent]:
    """The event for a change whose points could not be read: the page asks for the series again."""
    return _points_body(change, change.before, None), Sent(change.version, change.next_sequence)


def _points_body(change: Change, start: int, graphs: dict[str, Any] | None) -> bytes:
    body = {
        "session": change.session,
        "from": start,
        "to": change.version,
        "arrivals": change.next_sequence,
        "graphs": graphs,
    }
    return event("points", body)


def _new_points(connection: Connection, change: Change, first_sequence: int) -> dict[str, Any]:
    """The change's points from `first_sequence` on, by graph id; None for a graph with too many."""
    assert change.graphs is not None
    sequences = first_sequence, change.next_sequence
    found = recent.read(connection, change.session_key, change.graphs, sequences, MAX_GRAPH_POINTS, MAX_EVENT_POINTS)
    return {graph: None if series is None else {"series": series} for graph, series in found}
