"""Small real models, data and fits for the tests of LosswiseKerasCallback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
from sklearn.datasets import load_digits

from tests.support.server import Server, clean_environment

ROOT = Path(__file__).parents[3]
BATCH = 100
IMAGES, LABELS = load_digits(return_X_y=True)
IMAGES, LABELS = (IMAGES / 16)[:500].astype("float32"), LABELS[:500]


def network(learning_rate: Any = 0.05, **options: Any) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(10, activation="softmax")], name="digits")
    optimizer = keras.optimizers.SGD(learning_rate, momentum=0.9)
    options = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **options}
    model.compile(optimizer=optimizer, **options)
    return model


def fit(model: Any, *callbacks: Any, **options: Any) -> Any:
    """Four batches an epoch: 500 images, of which 400 are trained on."""
    options = {"epochs": 3, "batch_size": BATCH, "validation_split": 0.2, "verbose": 0, **options}
    return model.fit(IMAGES, LABELS, callbacks=list(callbacks), **options)


class Batches(keras.callbacks.Callback):
    """What Keras tells its callbacks after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])


class Raises(keras.callbacks.Callback):
    """Raises at a batch of an epoch."""

    def __init__(self, error: BaseException, batch: int = 2, epoch: int = 0) -> None:
        super().__init__()
        self.error, self.batch, self.epoch = error, batch, epoch
        self.now = -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.now, batch) == (self.epoch, self.batch):
            raise self.error


def at(xs: Any, ys: Any) -> list[tuple[int, float]]:
    return list(zip(xs, ys, strict=True))


def xs(column: list[tuple[int, float]]) -> list[int]:
    return [x for x, _ in column]


def run_script(server: Server, home: Path, code: str, **options: Any) -> tuple[Any, subprocess.CompletedProcess[str]]:
    """Run a script that has the names of this module as `t`; its session as the read API gives it, and how it ended."""
    top = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    top += "from losswise.integrations import LosswiseKerasCallback\nfrom tests.integrations.keras import fits as t\n"
    environment = clean_environment(home, LW_BASE_URL=server.url, LW_API_KEY=server.api_key)
    words = [sys.executable, "-c", top + code]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, **options)
    addresses = [line for line in done.stderr.splitlines() if "watching at" in line]
    assert addresses, done.stderr
    return server.session(addresses[0].rpartition("/")[2]), done
