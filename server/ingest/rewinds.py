"""The rewinds that a session remembers, since points that they deleted may arrive again.

A run resumes from a checkpoint and rewinds its session. The journal of the killed run may be on another machine and
come days later, with points from after the checkpoint. So each rewind stays in the session's row, and new points are
compared with it.
"""

from __future__ import annotations

from typing import NamedTuple

from ..points.columns import PointColumns

MAX_REWINDS = 1_000
"""Rewinds that a session keeps, the newest."""


class Rewind(NamedTuple):
    """All points with x > `after` and time <= `until` are deleted.

    Attributes:
        until: unix seconds.
        graph: the id of the only graph that it applies to; None: all graphs.
        writer: the id of the writer that sent it; None for one without.
    """

    after: int
    until: float
    graph: str | None
    writer: str | None

    def covers(self, other: Rewind) -> bool:
        """Return whether it deletes all that the other one does, also later."""
        return (
            other.writer == self.writer
            and self.graph in (None, other.graph)
            and other.after >= self.after
            and other.until <= self.until
        )


def add_rewind(rewinds: list[Rewind], new: Rewind) -> list[Rewind]:
    """The rewinds with another one, without those that it covers. The oldest go if there are too many."""
    return [*(known for known in rewinds if not new.covers(known)), new][-MAX_REWINDS:]


def drop_rewound(points: PointColumns, rewinds: list[Rewind], graph: str, writer: str | None) -> PointColumns:
    """The points without those that a rewind deletes.

    What a rewind's own writer sends after it is new, even if the writer's clock was set back meanwhile.

    Args:
        graph: the id of the points' graph.
        writer: the id of their writer; None for a v1 client.
    """
    for rewind in rewinds:
        is_own = writer is not None and rewind.writer == writer
        if rewind.graph in (None, graph) and not is_own:
            points = points.where((points.x <= rewind.after) | (points.t > rewind.until))
    return points
