"""Which session a logger records: a new one, that of a checkpoint, or one that branches off from it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from losswise.integrations.base import branch_options, has_gone_beyond, outcome_at_server
from losswise.integrations.lightning.checkpoint import (
    Checkpoint,
    find_session,
    fingerprint_of,
    read_checkpoint,
    watch_trainer,
)
from losswise.integrations.lightning.trainer import find_launch, is_testing, steps_done
from losswise.lifecycle.outcome import Outcome
from losswise.protocol.records import new_id
from losswise.session import Session
from losswise.session_training import Mark
from losswise.util.guard import guarded


class SessionChoice:
    """Base class of LosswiseLogger.

    Args:
        options: as `session_options` returns them.
        prefix: of the logger.
    """

    def __init__(self, options: dict[str, Any], prefix: str) -> None:
        super().__init__()
        self.fingerprint = fingerprint_of(options, prefix)
        self._options = options
        self._is_chosen = options["resume"] is not None  # the user says which session to continue
        self._id: str | None = None  # id of the session, once it is decided but before the session is created
        self._session: Session | None = None
        self._trainer: weakref.ref[Any] | None = None
        self._is_set_up = False
        self._outcome: Outcome | None = None  # of the last fit, in this process or an earlier one
        self._branched_from: str | None = None  # id of the checkpoint's session if this one branches off from it
        self._rewind_to: tuple[int, Mark | None] | None = None  # for the session, once it is created

    @property
    def session(self) -> Session | None:
        """The `losswise.Session`, if it exists in this process; `experiment` creates it."""
        return self._session

    @property
    def version(self) -> str | None:
        """Id of the session; None as long as it is not decided."""
        return self._session.id if self._session is not None else self._options["resume"] or self._id

    def _create_session(self) -> Session:
        options = self._options
        session = _SessionWithId(self._id, options) if self._id and not options["resume"] else Session(**options)
        self._session, options["resume"] = session, session.id  # a copy in another process continues it
        options.pop("from_x", None)
        session.label_axes(lambda name: ("step", ""))
        if self._rewind_to is not None:
            session.rewind(*self._rewind_to)
            self._rewind_to = None
        return session

    @guarded("setting up with Lightning's trainer")
    def _set_up(self, trainer: Any, ckpt_path: Any) -> None:
        """Prepare for a run of a Trainer: choose the session, and rewind it to the checkpoint of a resumed fit."""
        if self._is_set_up and self._trainer is not None and self._trainer() is trainer:
            return
        self._is_set_up, self._trainer = True, weakref.ref(trainer)
        watch_trainer(trainer)
        checkpoint: Any = read_checkpoint(ckpt_path)
        found = self._choose_session(trainer, checkpoint)
        if self._session is None and self._options["resume"] and is_testing(trainer):
            self._outcome = outcome_at_server(self._options)
        is_own = found is not None and found["id"] in (self.version, self._branched_from)
        if checkpoint is not None and (is_own or not checkpoint.sessions) and trainer.state.fn == "fit":
            self._rewind(checkpoint.next_x, Mark.read(found))

    @guarded("deciding a session's id")
    def decide_id(self) -> None:
        """Decide the session's id if a Trainer is about to start worker processes, one of which creates the session.

        The id is part of the path of checkpoints, which all of them must agree on.
        """
        launch = find_launch(self) if self.version is None else None
        if launch is not None:
            self._choose_session(launch.trainer, read_checkpoint(launch.ckpt_path))

    def _choose_session(self, trainer: Any, checkpoint: Checkpoint | None) -> Mapping[str, Any] | None:
        """Decide the id of the session. Returns what the checkpoint says about this logger's session."""
        found = find_session(self, trainer, checkpoint)
        known = found["id"] if found is not None else None
        if found is not None and checkpoint is not None and trainer.state.fn == "fit":
            self._branch_off(found["id"], checkpoint.next_x)
        if self._session is None and not self._options["resume"]:
            self._options["resume"] = known if known != self._branched_from else None
            self._id = self._id or new_id()
        return found

    def _branch_off(self, known: str, x: int | None) -> None:
        """Begin a session of its own if that of the checkpoint has gone on, and is complete.

        Args:
            known: id of the checkpoint's session.
            x: the step at which the fit continues.
        """
        is_branch = known == self._branched_from
        if self._is_chosen or x is None or (is_branch and self._session is None):
            return
        current = self.version if is_branch else known
        if current is None or self.version not in (None, current):
            return  # the logger records another session already
        if has_gone_beyond(self._options, current, x):
            self._options = branch_options(self._options, known, x)
            self._session, self._id, self._branched_from = None, new_id(), known
            self._outcome = None
            self._start_over()

    def _rewind(self, x: int | None, mark: Mark | None) -> None:
        self._start_over()
        if x is None:
            return
        if self._session is not None:
            self._session.rewind(x, mark)
        elif self._options["resume"] and self._options.get("from_x") is None:
            self._rewind_to = x, mark

    def note_next_step(self, trainer: Any) -> None:
        """Note that a fit starts, or goes on after it has saved a checkpoint. Our callback calls this."""
        reference = weakref.ref(trainer)
        if self._session is not None:
            self._session.put_mark()
            self._session.follow(lambda: steps_done(reference()))

    def _start_over(self) -> None:
        raise NotImplementedError


class _SessionWithId(Session):
    """A new session whose id was decided before."""

    def __init__(self, id_: str, options: Mapping[str, Any]) -> None:
        self.id = id_
        super().__init__(**options)
