"""The data of the demo, scikit-learn's handwritten digits, and the runs that it trains."""

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
    """1,797 images of 8 by 8 pixels and their labels.

    Attributes:
        train, val: images, shape (N, 64), values from 0 to 1.
        train_labels, val_labels: shape (N,), 0 to 9.
    """

    train: Floats
    train_labels: Labels
    val: Floats
    val_labels: Labels


@dataclass(frozen=True)
class Run:
    """One training run: its tag and hyperparameters."""

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
    """Load the digits. Every fifth is used for validation."""
    from sklearn import datasets

    images, labels = datasets.load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    labels = labels.astype(np.int64)
    is_val = np.arange(len(images)) % 5 == 4
    return Digits(images[~is_val], labels[~is_val], images[is_val], labels[is_val])


class DemoPace:
    """Slow a training down so that one can watch it.

    Args:
        seconds: duration of all ticks together.
        ticks: number of ticks.
    """

    def __init__(self, seconds: float, ticks: int) -> None:
        self._interval = seconds / ticks
        self._next = time.monotonic()

    def tick(self) -> None:
        """Sleep until the next tick is due."""
        now = time.monotonic()
        # a delay is not made up for: no burst of steps after a pause
        self._next = max(self._next, now - self._interval) + self._interval
        if self._next > now:
            time.sleep(self._next - now)
