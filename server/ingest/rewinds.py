"""Which points a rewind deletes: of those that are stored, and of those that arrive later.

A run resumes from a checkpoint and rewinds its session. The journal of the killed run may be on another machine and
come days later, with points from after the checkpoint. So each rewind stays in the session's row, and new points are
compared with it.

A plain rewind deletes by x. One to a checkpoint deletes what was recorded after the checkpoint, whatever its x:

    the writer of a point                         is deleted if
    named by the rewind                           it comes after the mark that the rewind names
    not named, has marks or rewinds of its own    it is younger than the checkpoint (`since`)
    not named, and does not train                 it is younger than the checkpoint, and its x is greater than `after`

Nothing that was recorded later than the rewind itself (`t`) is deleted. This counts only as long as clocks agree and
their writers live: after its mark, a named writer that has ended loses everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, select

from losswise.protocol.limits import INT64_MAX

from ..db.models import Mark
from ..points.columns import PointColumns
from ..sessions.status import WriterState
from .schema import RewindRecord

MAX_REWINDS = 1_000
"""Rewinds that a session keeps, the newest."""
MAX_KEPT_WRITERS = 1_000
"""Writers of which a session knows what rewinds have kept, those named last."""


class Rewind(NamedTuple):
    """A rewind as the session remembers it.

    Attributes:
        after, until: of the points with x > `after` and time <= `until` (unix seconds) it deletes some, or all.
        graph: the id of the only graph that it applies to; None: all graphs.
        writer: the id of the writer that sent it; None for one without.
        since: when the checkpoint was saved (unix seconds); None: a plain rewind.
    """

    after: int
    until: float
    graph: str | None
    writer: str | None
    since: float | None = None

    def covers(self, other: Rewind) -> bool:
        """Return whether it deletes all that the other one does, also later."""
        return (
            other.writer == self.writer
            and self.graph in (None, other.graph)
            and other.after >= self.after
            and other.until <= self.until
            and (other.since is None) == (self.since is None)
            and (other.since or 0) >= (self.since or 0)
        )


def add_rewind(rewinds: list[Rewind], new: Rewind) -> list[Rewind]:
    """The rewinds with another one, without those that it covers. The oldest go if there are too many."""
    return [*(known for known in rewinds if not new.covers(known)), new][-MAX_REWINDS:]


class Kept(NamedTuple):
    """What rewinds have kept of a writer that they name: its points up to a mark.

    Attributes:
        mark: number of the mark. The first one with this number or a greater one counts.
        since: when the checkpoint was saved, so that no point before the mark is younger.
        until: the time of the rewind.
        record: number of the mark's record; None if it has not arrived, and all points so far are before it.
        t: points after the mark that are not younger than this belong before it; None: there are none.
    """

    mark: int
    since: float
    until: float
    record: int | None = None
    t: float | None = None


def add_kept(known: Mapping[str, Kept], writer: str, new: Kept) -> dict[str, Kept]:
    """What is known to be kept of each writer after another rewind. The least counts: the rest is deleted already."""
    before = known.get(writer)
    if before is not None:
        least = before if before.mark < new.mark else new
        new = least._replace(until=max(before.until, new.until))
    others = {id_: kept for id_, kept in known.items() if id_ != writer}
    return dict([*others.items(), (writer, new)][-MAX_KEPT_WRITERS:])


# points that arrive


def drop_rewound(
    points: PointColumns,
    rewinds: Iterable[Rewind],
    graph: str,
    writer: WriterState | None,
    kept: Kept | None = None,
    record: int = 0,
    is_replay: bool = False,
) -> PointColumns:
    """The points without those that a rewind deletes.

    What a rewind's own writer sends after it is new, even if the writer's clock was set back meanwhile.

    Args:
        graph: the id of the points' graph.
        writer: their writer; None for a v1 client.
        kept: what rewinds have kept of this writer; None if none has named it.
        record: the number of the points' record.
        is_replay: the points come from a journal whose writer has ended, or records offline.
    """
    latest = np.inf
    if kept is not None:
        if kept.record is None or record < kept.record:
            latest = kept.since  # whatever its clock said: they were recorded before the checkpoint was saved
        else:
            stays = points.t <= (-np.inf if kept.t is None else kept.t)
            points = points.where(stays if is_replay else stays | (points.t > kept.until))
    for rewind in rewinds:
        is_own = writer is not None and rewind.writer == writer.id
        if is_own or rewind.graph not in (None, graph) or not len(points.x):
            continue
        t = np.minimum(points.t, latest)
        gone = t <= rewind.until
        if rewind.since is not None:
            gone &= t > rewind.since
        if rewind.since is None or writer is None or not writer.trains:
            gone &= points.x > rewind.after
        points = points.where(~gone)
    return points


# points that are stored


class Deletion(NamedTuple):
    """An SQL condition for the stored points that a rewind deletes.

    Attributes:
        where, bound: the condition and its parameters.
        first_sequence: no other points are deleted but those with this sequence number or a greater one,
        after: and those with a greater x than this.
    """

    where: str
    bound: dict[str, Any]
    first_sequence: int | None
    after: int


def plan_deletion(
    connection: Connection,
    session_key: int,
    record: RewindRecord,
    own: WriterState | None,
    writers: Mapping[str, WriterState],
    now: float,
) -> tuple[Deletion, dict[str, Kept]]:
    """Return what a rewind deletes, and what it keeps of the writers that it names.

    Args:
        own: the writer that sent it.
        writers: the session's writers by id.
        now: unix seconds, by the server's clock.
    """
    bound = {"after": record.after, "until": record.t}
    plain = "x > :after AND t <= :until"
    if record.since is None:
        return Deletion(plain, bound, None, record.after), {}
    bound["since"] = record.since
    younger = "t > :since AND t <= :until"
    kept = {id_: Kept(mark, record.since, record.t) for id_, mark in (record.kept or {}).items()}
    conditions: list[str] = []
    sequences: list[int] = []
    decided: list[int] = []  # numbers of the writers for which the last condition does not count
    trains: list[int] = []
    for id_, writer in writers.items():
        if not writer.number:
            continue
        if id_ in kept:
            decided.append(writer.number)
            mark = _find_mark(connection, session_key, writer.number, kept[id_].mark)
            if mark is not None:
                kept[id_] = kept[id_]._replace(record=mark.record, t=mark.t)
                sequences.append(mark.sequence)
                conditions.append(_after_mark(mark, may_be_new=writer is not own and writer.may_record(now)))
        elif writer.trains:
            decided.append(writer.number)
            trains.append(writer.number)
            sequences.append(writer.first_sequence)
    if trains:
        conditions.append(f"writer IN ({_listed(trains)}) AND {younger}")
    others = f" AND COALESCE(writer, 0) NOT IN ({_listed(decided)})" if decided else ""
    conditions.append(f"{plain} AND t > :since{others}")
    where = " OR ".join(f"({condition})" for condition in conditions)
    return Deletion(where, bound, min(sequences, default=None), record.after), kept


class _StoredMark(NamedTuple):
    """See db.models.Mark."""

    writer: int
    record: int
    sequence: int
    t: float | None


def _find_mark(connection: Connection, session_key: int, writer: int, number: int) -> _StoredMark | None:
    """The writer's first mark with this number or a greater one; None if it has not arrived."""
    marks = Mark.__table__.c
    query = select(marks.writer, marks.record, marks.sequence, marks.t).order_by(marks.number).limit(1)
    of_writer = (marks.session_key == session_key) & (marks.writer == writer) & (marks.number >= number)
    found = connection.execute(query.where(of_writer)).first()
    return None if found is None else _StoredMark(*found)


def _after_mark(mark: _StoredMark, may_be_new: bool) -> str:
    """The condition for points of a writer after a mark. Numbers only, so there is nothing to escape."""
    condition = f"writer = {mark.writer:d} AND sequence >= {mark.sequence:d}"
    if mark.t is not None:
        condition += f" AND t > {mark.t!r}"
    return condition + (" AND t <= :until" if may_be_new else "")


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(f"{number:d}" for number in numbers)


def lowest_x(deletion: Deletion, lowest_since: int) -> int:
    """No point with a lower x is deleted.

    Args:
        lowest_since: the least x of points with the sequence number `first_sequence` or a greater one.
    """
    by_x = min(deletion.after + 1, INT64_MAX)
    return by_x if deletion.first_sequence is None else min(by_x, lowest_since)
