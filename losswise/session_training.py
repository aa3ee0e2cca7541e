"""What integrations tell a session about the training: its progress, its checkpoints, and that it goes back to one.

See docs/developing/add-an-integration.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from losswise.protocol.limits import LATEST_TIME_S, MAX_KEPT
from losswise.protocol.records import Record, is_id, progress_record, rewind_record
from losswise.util.guard import guarded

if TYPE_CHECKING:
    from losswise.recording.record_queue import RecordQueue
    from losswise.recording.recorder import Recorder

REWIND_WAIT_S = 2.0  # how long a rewind waits for the disk at most


class Mark(NamedTuple):
    """What a checkpoint remembers of its session, so that a rewind to it takes back what was recorded after it.

    Attributes:
        kept: by writer, the number of the mark up to which its records belong to the checkpoint.
        t: when the checkpoint was saved, in unix seconds.
    """

    kept: dict[str, int]
    t: float

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, for a checkpoint; `Mark.read` reads them."""
        return {"kept": dict(self.kept), "t": self.t}

    @classmethod
    def read(cls, value: Any) -> Mark | None:
        """Return the mark in a mapping, of which nothing can be relied on; None if there is none."""
        kept, t = (value.get("kept"), value.get("t")) if isinstance(value, Mapping) else (None, None)
        if not isinstance(kept, Mapping) or type(t) is not float or not 0 <= t <= LATEST_TIME_S or math.isnan(t):
            return None
        known = {id_: mark for id_, mark in kept.items() if is_id(id_) and type(mark) is int and 0 < mark < 2**63}
        return cls(_newest(known), t)


class SessionTraining:
    """Base class of Session."""

    _queue: RecordQueue
    _recorder: Recorder | None = None
    _kept: Mapping[str, int] = {}  # `Mark.kept` of the checkpoint that the training has gone back to

    @guarded("following the progress")
    def follow(self, steps: Callable[[], int | None] | None) -> None:
        """Have the progress recorded: `steps` returns how many steps are done, or None if that is unknown now.

        It is called now, and then about once a second on another thread. None stops that.
        """
        if self._queue.closed:
            return
        self._queue.steps = steps
        done = None if steps is None else steps()
        if done is not None:
            self._put(progress_record(done, time.time()))  # the speed counts from here

    @guarded("preparing a mark")
    def next_mark(self) -> Mark | None:
        """Return what a checkpoint that is saved now has to remember; None if nothing is recorded.

        What is recorded until the next `put_mark` belongs to the checkpoint.
        """
        recorder = self._recorder
        if recorder is None:
            return None
        # rounded as the times of points in the journal, so that no earlier point has a later time
        return Mark(_newest({**recorder.ended, **self._kept, **recorder.next_mark()}), round(time.time(), 4))

    @guarded("setting a mark")
    def put_mark(self) -> None:
        """Record that what comes now is not part of the checkpoints that were saved: the training goes on."""
        if self._recorder is not None:
            self._recorder.put_mark()

    @guarded("rewinding a session")
    def rewind(self, x: int, mark: Mark | None = None) -> None:
        """Remove points of this process and of earlier ones: training continues at `x`.

        Args:
            x: the step that comes next.
            mark: that of the checkpoint that training continues from. What was recorded after it is removed, whatever
                its x. None: the points at and after `x` are removed.
        """
        if self._recorder is not None:
            self._recorder.write_out(REWIND_WAIT_S)  # points of this writer after the rewind are new
            if mark is not None:
                own = self._recorder.next_mark() if self._recorder.open else {}
                self._kept = {id_: number for id_, number in mark.kept.items() if id_ not in own}
        since, kept = (None, None) if mark is None else (mark.t, mark.kept)
        self._put(rewind_record(x - 1, time.time(), None, since, kept))

    def _put(self, record: Record) -> None:
        raise NotImplementedError


def _newest(kept: dict[str, int]) -> dict[str, int]:
    return dict([*kept.items()][-MAX_KEPT:])
