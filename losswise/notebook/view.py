"""The data of a session that a notebook shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from losswise.graph import Graph
from losswise.notebook.curves import CurveStore
from losswise.recording.record_queue import RecordQueue
from losswise.recording.recorder import Recorder


class GraphView(NamedTuple):
    """A graph's title and its kind: 'min', 'max' or None."""

    title: str
    kind: str | None


@dataclass(frozen=True)
class SessionView:
    """A session at one moment.

    Attributes:
        name: the tag, or what a page calls a session without one.
        url: the session's page; "" if nothing is recorded.
        status: 'active', 'complete', 'failed' or 'cancelled'.
        is_recorded: False if the session records nothing, as with LW_MODE=disabled.
        is_online: the session is sent to a server, not only kept on disk.
        is_live: points may still be added without opening the session again.
        graphs: in the order of their creation.
        curves: of the graphs; None outside notebooks.
        last_x: greatest x written so far; None before the first point.
        max_iter: number of x values expected, or None.
    """

    name: str
    url: str
    status: str
    is_recorded: bool
    is_online: bool
    is_live: bool
    graphs: Sequence[GraphView]
    curves: CurveStore | None
    last_x: int | None
    max_iter: int | None

    @property
    def version(self) -> object:
        """Equal for two views that show the same."""
        curves = self.curves.version if self.curves is not None else 0
        return curves, self.status, self.max_iter, self.name, len(self.graphs)


def view_of(recorder: Recorder | None, queue: RecordQueue, graphs: Iterable[Graph], **shown: Any) -> SessionView:
    """Return what there is to see of a session; `shown` are the attributes that are known as they are."""
    has_points = bool(queue.last_x or queue.last_point_at)
    return SessionView(
        is_recorded=recorder is not None,
        is_online=recorder is not None and recorder.online,
        is_live=recorder is not None and not queue.closed and recorder.is_writing(),
        graphs=[GraphView(graph.title, graph.kind) for graph in graphs],
        last_x=queue.last_x if has_points else None,
        **shown,
    )


GetView = Callable[[], SessionView]
