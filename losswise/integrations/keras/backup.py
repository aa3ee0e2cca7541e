"""Going on where keras.callbacks.BackupAndRestore has restored a training: the session, and its x.

Keras keeps the weights and the number of the epoch, and ends the backup with the fit. Beside them stands a file of
ours, which says which session that was and at which x its epochs began.
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

KEPT = 5
"""Epochs whose x is kept: a backup is of the last, or with `double_checkpoint` of the one before."""


class Backup:
    """What belongs to the backup of one fit.

    Args:
        restorer: the fit's keras.callbacks.BackupAndRestore.
        number: of our callback, where a fit has several.

    Attributes:
        session, server: id and address of the session that the restored training was watched with; empty where
            nothing is restored.
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
        """x of the next batch, after Keras has restored the state before this epoch; None: nothing is restored.

        With `save_freq=N` the state is that after some batch of the epoch, and Keras begins the epoch anew with it.
        """
        before = max((known for known in self._starts if known <= epoch), default=None)
        if before is None or (before != epoch and not steps):
            return None
        x = self._starts[before] + (epoch - before) * (steps or 0)
        batch = self._restored.get("batch")
        if self._saves_batches and self._restored.get("epoch") == epoch and isinstance(batch, int):
            x += batch + 1
        return x

    @guarded("keeping the session beside Keras' backup")
    def note(self, session: str, server: str, epoch: int, x: int) -> None:
        """This epoch of the session begins at x."""
        earlier = sorted(item for item in self._starts.items() if item[0] < epoch)
        self._starts = dict([*earlier, (epoch, x)][-KEPT:])
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps({"session": session, "server": server, "starts": self._starts}))
        os.replace(new, self._path)


@guarded("looking for a backup")
def find_backup(callbacks: Sequence[Any], own: Any) -> Backup | None:
    """The backup of a fit with these callbacks; None where it has none, or not on a disk.

    Args:
        callbacks: all of the fit's.
        own: which of them asks.
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
