"""Continue the session of a training that keras.callbacks.BackupAndRestore restores.

The backup of Keras contains the weights and the number of the epoch, and is deleted at the end of fit. Beside it we
keep a file with the session's id and the x at which its last epochs started.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from losswise.protocol.records import is_id
from losswise.util.guard import guarded

# Number of epochs whose first x is kept. A backup is that of the last epoch, or, with `double_checkpoint`, of the one
# before it.
KEPT_EPOCHS = 5


class Backup:
    """Our file beside the backup of one fit.

    Args:
        restorer: the fit's keras.callbacks.BackupAndRestore.
        number: index of our callback among those of its kind in the fit.

    Attributes:
        session, server: id of the restored training's session, and base URL of its server; empty if nothing is
            restored.
    """

    def __init__(self, restorer: Any, number: int) -> None:
        folder = Path(restorer.backup_dir)
        self._path = folder / f"losswise-{number}.json"
        self._restored = _read(folder / "training_metadata.json")
        self._saves_batches = restorer.save_freq != "epoch"
        known = _read(self._path) if self._restored else {}
        self.session = known["session"] if is_id(known.get("session")) else ""
        self.server = str(known.get("server", ""))
        starts = known.get("starts")
        self._starts = {int(epoch): int(x) for epoch, x in starts.items()} if isinstance(starts, dict) else {}

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
        if self._saves_batches and self._restored.get("epoch") == epoch and isinstance(batch, int):
            x += batch + 1
        return x

    @guarded("keeping the session beside Keras' backup")
    def note(self, session: str, server: str, epoch: int, x: int) -> None:
        """Write down that an epoch of the session starts at x."""
        earlier = sorted(item for item in self._starts.items() if item[0] < epoch)
        self._starts = dict([*earlier, (epoch, x)][-KEPT_EPOCHS:])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"session": session, "server": server, "starts": self._starts}))
        os.replace(new, self._path)


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


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        if isinstance(found, dict):
            return found
    return {}
