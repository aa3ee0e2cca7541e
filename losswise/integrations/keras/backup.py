"""Continue the session of a training that keras.callbacks.BackupAndRestore restores.

The backup of Keras contains the weights and the numbers of an epoch and a batch, and is deleted at the end of fit.
Beside it we keep a file with the session's id, and of the last states that Keras may have saved the x and the mark. It
is written before Keras saves such a state, or before anything is recorded after it.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras

from losswise.protocol.records import is_id
from losswise.session_training import Mark
from losswise.util.guard import guarded

# Number of states whose x or mark is kept. A backup is the last one, or, with `double_checkpoint`, the one before it.
KEPT_STATES = 5


class Backup:
    """Our file beside the backup of one fit.

    Args:
        restorer: the fit's keras.callbacks.BackupAndRestore.
        number: index of our callback among those of its kind in the fit.

    Attributes:
        session, server: id of the restored training's session, and base URL of its server; empty if nothing is
            restored.
        epoch: the restored training's next epoch; None if unknown.
        saves_batches: Keras saves within epochs, not at their ends.
        is_left: the training branches off from that session.
    """

    def __init__(self, restorer: Any, number: int) -> None:
        folder = Path(restorer.backup_dir)
        self._path = folder / f"losswise-{number}.json"
        self._restorer = restorer
        self._restored = _read(folder / "training_metadata.json")
        self.epoch: int | None = self._restored["epoch"] if type(self._restored.get("epoch")) is int else None
        self.saves_batches = restorer.save_freq != "epoch"
        self.is_left = False
        known = _read(self._path) if self._restored else {}
        self.session = known["session"] if is_id(known.get("session")) else ""
        self.server = str(known.get("server", ""))
        starts = known.get("starts")
        self._starts = {int(epoch): int(x) for epoch, x in starts.items()} if isinstance(starts, dict) else {}
        marks = known.get("marks")
        self._marks: dict[str, Any] = marks if isinstance(marks, dict) else {}

    def x_at(self, epoch: int, steps: int | None) -> int | None:
        """Return x of the next batch, after Keras has restored the state for an epoch.

        Args:
            epoch: the epoch that starts now.
            steps: batches per epoch; None: unknown.

        Returns:
            None if nothing is restored, or if x cannot be known.
        """
        before = max((known for known in self._starts if known <= epoch), default=None)
        if before is None or (before != epoch and not steps):
            return None
        x = self._starts[before] + (epoch - before) * (steps or 0)
        batch = self._restored.get("batch")
        # with `save_freq=N` the state is that after some batch of the epoch, which Keras starts again
        if self.saves_batches and self.epoch == epoch and isinstance(batch, int):
            x += batch + 1
        return x

    def mark_at(self, epoch: int) -> Mark | None:
        """Return the mark of the restored state; None if it is unknown."""
        if self.saves_batches and self.epoch == epoch:
            return Mark.read(self._marks.get(_state(epoch, self._restored.get("batch"))))
        return Mark.read(self._marks.get(_state(epoch)))

    @guarded("keeping the session beside Keras' backup")
    def note(self, session: str, server: str, epoch: int, x: int, mark: Mark | None) -> None:
        """Write down that an epoch of the session starts at x, and the next mark."""
        earlier = sorted(item for item in self._starts.items() if item[0] < epoch)
        self._starts = dict([*earlier, (epoch, x)][-KEPT_STATES:])
        self._write(session, server, _state(epoch), mark)

    @guarded("keeping a mark beside Keras' backup")
    def note_batch(self, session: str, server: str, mark: Mark | None) -> None:
        """Write down the next mark for the state that Keras saves now, within an epoch."""
        self._write(session, server, _state(self._restorer._current_epoch, self.last_batch), mark)

    @property
    def last_batch(self) -> int:
        """The batch of its epoch that Keras has seen last."""
        return int(self._restorer._last_batch_seen)

    def _write(self, session: str, server: str, state: str, mark: Mark | None) -> None:
        if mark is not None:
            others = [item for item in self._marks.items() if item[0] != state]
            self._marks = dict([*others, (state, mark.plain())][-KEPT_STATES:])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        content = {"session": session, "server": server, "starts": self._starts, "marks": self._marks}
        new.write_text(json.dumps(content))
        os.replace(new, self._path)

    @guarded("watching Keras' backup")
    def watch_batches(self, before_save: Callable[[], None]) -> None:
        """Have `before_save` called before each backup of this fit within an epoch: there is no hook for it."""
        save = type(self._restorer)._save_model

        def save_model(*args: Any, **kwargs: Any) -> Any:
            before_save()
            return save(self._restorer, *args, **kwargs)

        if self.saves_batches:
            self._restorer._save_model = save_model


@guarded("looking for a backup")
def find_backup(callbacks: Sequence[Any], own: Any) -> Backup | None:
    """Return the backup of a fit; None if it has none, or not in a local folder.

    Args:
        callbacks: all callbacks of the fit.
        own: the one of them that asks.
    """
    ours = [callback for callback in callbacks if isinstance(callback, type(own))]
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.BackupAndRestore) and "://" not in str(callback.backup_dir):
            return Backup(callback, ours.index(own) if own in ours else 0)
    return None


def _state(epoch: int, batch: Any = None) -> str:
    """Name a state that Keras saves: at the start of an epoch, or after a batch of it."""
    return f"{epoch}" if batch is None else f"{epoch}:{batch}"


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        if isinstance(found, dict):
            return found
    return {}
