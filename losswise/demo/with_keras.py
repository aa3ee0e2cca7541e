"""Train the demo's runs with Keras: `fit` and LosswiseKerasCallback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from losswise.demo.digits import CLASSES, RUNS, DemoPace, Digits, Run
from losswise.integrations.keras.callback import LosswiseKerasCallback

EPOCHS = 6


class Paced(keras.callbacks.Callback):
    """Sleep after each batch."""

    def __init__(self, pace: DemoPace) -> None:
        super().__init__()
        self._pace = pace

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._pace.tick()


def train(data: Digits, options: Mapping[str, Any], seconds: float) -> None:
    """Train all runs, one after another. The arguments are those of `losswise.demo.with_numpy.train`."""
    batches = sum(-(-len(data.train) // run.batch_size) for run in RUNS) * EPOCHS
    pace = DemoPace(seconds, batches)
    for run in RUNS:
        keras.utils.set_random_seed(run.seed)
        network(run).fit(
            data.train,
            data.train_labels,
            validation_data=(data.val, data.val_labels),
            batch_size=run.batch_size,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[LosswiseKerasCallback(run.tag, params=run.params(), **options), Paced(pace)],
        )


def network(run: Run) -> Any:
    model = keras.Sequential(
        [
            keras.layers.Input((64,)),
            keras.layers.Dense(run.hidden, activation="relu"),
            keras.layers.Dense(CLASSES, activation="softmax"),
        ],
        name="digits",
    )
    model.compile(
        optimizer=keras.optimizers.SGD(run.learning_rate, momentum=run.momentum),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model
