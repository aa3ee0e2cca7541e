"""What the demo trains on, scikit-learn's handwritten digits, and what it tries."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Labels: TypeAlias = NDArray[np.int64]

CLASSES = 10


@dataclass(frozen=True)
class Digits:
    """1,797 images of 8 by 8 pixels, as rows of 64 numbers from 0 to 1, and which digit each shows."""

    train: Floats
    train_labels: Labels
    val: Floats
    val_labels: Labels


@dataclass(frozen=True)
class Run:
    """One try: a tag, and the params by which it differs from the others."""

    tag: str
    hidden: int
    learning_rate: float
    batch_size: int
    momentum: float = 0.9
    seed: int = 1

    def params(self) -> dict[str, Any]:
        found = asdict(self)
        del found["tag"]
        return found


RUNS = (
    Run("narrow", hidden=8, learning_rate=0.05, batch_size=32),
    Run("wide", hidden=128, learning_rate=0.05, batch_size=32),
    Run("wide, small steps", hidden=128, learning_rate=0.005, batch_size=32),
    Run("wide, large batches", hidden=128, learning_rate=0.05, batch_size=256),
    Run("wide, too large steps", hidden=128, learning_rate=1.0, batch_size=32),
)


def load_digits() -> Digits:
    """The digits, every fifth of them kept for validation."""
    from sklearn import datasets

    images, labels = datasets.load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    labels = labels.astype(np.int64)
    is_val = np.arange(len(images)) % 5 == 4
    return Digits(images[~is_val], labels[~is_val], images[is_val], labels[is_val])


class Pace:
    """Make a training slow enough to be watched.

    Args:
        seconds: that all ticks together should take.
        ticks: how many there will be.
    """

    def __init__(self, seconds: float, ticks: int) -> None:
        self._interval = seconds / ticks
        self._next = time.monotonic()

    def tick(self) -> None:
        """Wait for the next tick's time."""
        now = time.monotonic()
        # what was late stays late: no burst of steps after a pause
        self._next = max(self._next, now - self._interval) + self._interval
        if self._next > now:
            time.sleep(self._next - now)
