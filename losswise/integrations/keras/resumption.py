"""Where a restored or restarted training goes on, and what a backup has to know for that."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from losswise import settings
from losswise.integrations.base import branch_options, has_gone_beyond
from losswise.integrations.keras.backup import Backup, find_backup
from losswise.integrations.keras.model import trained_batches
from losswise.session import Session
from losswise.util.guard import guarded


class Resumption:
    """Base class of LosswiseKerasCallback, whose attributes these are."""

    session: Session | None
    model: Any
    _options: dict[str, Any]
    _fit_params: dict[str, Any]
    _backup: Backup | None
    _is_restart: bool
    _from_x: int | None
    _every: float
    _due: float
    _x: int
    _saved_x: float
    _fit_start: int
    _epoch_start: int
    _logged: tuple[int, Mapping[str, Any]]

    def _look_for_backup(self, callbacks: Sequence[Any]) -> None:
        """Choose the session of the backup that Keras restores; if that is complete, a new one that branches off."""
        self._backup = backup = find_backup(callbacks, self)
        if backup is None or not backup.session or self.session is not None or self._is_restart:
            return
        server = settings.resolve(self._options.get("base_url"), self._options.get("api_key")).base_url
        if backup.server != server:
            return
        x = None if backup.epoch is None else backup.x_at(backup.epoch, self._fit_params.get("steps"))
        self._is_restart = x is None or not has_gone_beyond(self._options, backup.session, x)
        if self._is_restart:
            self._options["resume"] = backup.session
        elif x is not None:  # a copy of the backup, since Keras deletes that of a complete fit
            self._options = branch_options(self._options, backup.session, x)
            backup.is_left = True

    def _resume_at(self, epoch: int) -> None:
        """Before the first epoch of a resumed fit: set x to that of the earlier run, and remove what came after it."""
        session, backup = self.session, self._backup
        if session is None:
            return
        x = mark = None
        if backup is not None and (backup.is_left or backup.session == session.id):
            x, mark = backup.x_at(epoch, self._fit_params.get("steps")), backup.mark_at(epoch)
        if x is None and self._is_restart:
            x = self._known_x(epoch) or self._from_x
        self._is_restart = False
        if x is not None and x >= 0:
            self._x = x - 1
            self._fit_start = x
            self._logged = (-1, {})
            if self._every < math.inf:
                self._due = x + -x % self._every
            if backup is None or not backup.is_left:
                session.rewind(x, mark)

    def _known_x(self, epoch: int = 0) -> int:
        """Return x of the next batch of a run restarted with `resume`; 0 if unknown."""
        if self._from_x is not None:
            return self._from_x
        return epoch * (self._fit_params.get("steps") or 0) or trained_batches(self.model)

    def _follow(self) -> None:
        """Tell the session the progress of this fit, and its backup, if it has one, what belongs to it."""
        reference = weakref.ref(self)
        if self.session is not None:
            self.session.follow(lambda: _steps_done(reference()))
        if self._backup is not None:
            self._backup.watch_batches(lambda: _note_batch(reference()))

    def _note_epoch(self, epoch: int) -> None:
        session = self.session
        if self._backup is not None and session is not None and session.url:
            self._backup.note(session.id, session.base_url, epoch, self._x + 1, session.next_mark())

    @guarded("noting a backup")
    def note_batch(self) -> None:
        """Note that Keras saves the state after a batch."""
        session = self.session
        if self._backup is not None and session is not None and session.url:
            self._backup.note_batch(session.id, session.base_url, session.next_mark())
            self._saved_x = self._epoch_start + self._backup.last_batch

    def steps_done(self) -> int:
        """Return how many batches are trained."""
        return self._x + 1

    def _put_mark(self) -> None:
        """Separate what belongs to the backups so far from what comes now."""
        self._saved_x = math.inf
        if self._backup is not None and self.session is not None:
            self.session.put_mark()


def _steps_done(callback: Resumption | None) -> int | None:
    return None if callback is None else callback.steps_done()


def _note_batch(callback: Resumption | None) -> None:
    if callback is not None:
        callback.note_batch()
