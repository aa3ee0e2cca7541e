"""What stays of the points of several writers, by a simple model.

It knows nothing of sequence numbers, of ranges or of what a session remembers. It compares every point with every
rewind, by the numbers of their records.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.server.points.expected import Point

WRITERS = 4


class Points(NamedTuple):
    graph: int
    points: tuple[Point, ...]


class Mark(NamedTuple):
    number: int
    t: float | None = None


class Rewind(NamedTuple):
    """`kept` names writers by their place."""

    after: int
    until: float
    since: float | None = None
    kept: tuple[tuple[int, int], ...] = ()


class End(NamedTuple):
    status: str = "failed"


Record = Points | Mark | Rewind | End


class Stored(NamedTuple):
    writer: int
    record: int
    graph: int
    point: Point


class Received(NamedTuple):
    """A rewind that has arrived."""

    writer: int
    rewind: Rewind


class Expected:
    """The points that stay, and in how many requests before the last of each rewind the others were deleted."""

    def __init__(self) -> None:
        self.parts = 0
        self.points: list[Stored] = []
        self.rewinds: list[Received] = []
        self.marks: dict[int, list[tuple[int, Mark]]] = {writer: [] for writer in range(WRITERS)}
        self.trains: set[int] = set()
        self.heard: set[int] = set()
        self.ended: set[int] = set()

    def note_heard(self, writer: int) -> None:
        """A batch of the writer comes that is no replay."""
        if writer not in self.ended:
            self.heard.add(writer)

    def receive(self, writer: int, number: int, record: Record, is_replay: bool) -> None:
        if isinstance(record, Points):
            for point in record.points:
                if point.y and not self._is_late(writer, number, point, is_replay):
                    self.points.append(Stored(writer, number, record.graph, point))
            if not is_replay:
                self.ended.discard(writer)
                self.heard.add(writer)
        elif isinstance(record, Mark):
            self.marks[writer].append((number, record))
            self.trains.add(writer)
        elif isinstance(record, Rewind):
            self.points = [one for one in self.points if not self._is_gone(one, record, writer)]
            self.rewinds.append(Received(writer, record))
            if record.since is not None:
                self.trains.add(writer)
        else:
            self.ended.add(writer)

    def _place(self, writer: int, mark: int) -> tuple[int, Mark] | None:
        """Record number of the mark, or of the next one that has arrived."""
        return next((found for found in self.marks[writer] if found[1].number >= mark), None)

    def _is_gone(self, one: Stored, rewind: Rewind, sender: int) -> bool:
        x, t = one.point.x, one.point.t
        is_after, is_older = x > rewind.after, t <= rewind.until
        if rewind.since is None:
            return is_after and is_older
        if one.writer in dict(rewind.kept):
            found = self._place(one.writer, dict(rewind.kept)[one.writer])
            is_new = found is not None and one.record > found[0] and (found[1].t is None or t > found[1].t)
            may_be_newer = one.writer != sender and one.writer in self.heard - self.ended
            return is_new and (is_older or not may_be_newer)
        return is_older and t > rewind.since and (is_after or one.writer in self.trains)

    def _is_late(self, writer: int, number: int, point: Point, is_replay: bool) -> bool:
        t = point.t
        of_others = [rewind for sender, rewind in self.rewinds if sender != writer]
        naming = [one for one in of_others if writer in dict(one.kept) and one.since is not None]
        if naming:
            least = min(dict(one.kept)[writer] for one in naming)
            found = self._place(writer, least)
            if found is None or number < found[0]:
                since = next(one.since for one in reversed(naming) if dict(one.kept)[writer] == least)
                assert since is not None
                t = min(t, since)
            elif (found[1].t is None or t > found[1].t) and (is_replay or t <= max(one.until for one in naming)):
                return True
        for rewind in of_others:
            is_after, is_older = point.x > rewind.after, t <= rewind.until
            if rewind.since is None:
                is_dropped = is_after and is_older
            else:
                is_dropped = is_older and t > rewind.since and (is_after or writer in self.trains)
            if is_dropped:
                return True
        return False
