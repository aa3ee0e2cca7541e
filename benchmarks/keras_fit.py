"""What LosswiseKerasCallback adds to a batch of Keras' `fit`, beside a callback that does nothing."""

from __future__ import annotations

import functools
import os
import sys
from importlib.util import find_spec
from typing import Any

from benchmarks.support import slowdown
from benchmarks.support.measuring import Result
from benchmarks.support.process_metrics import StepClock, Turns
from benchmarks.support.report import Row

BATCH, FEATURES, CLASSES = 4, 4, 8


def run(quick: bool) -> list[Row]:
    return slowdown.rows("keras_fit", find_spec("tensorboardX") is not None, quick)


# in the measured process


def fit(how: str, turns: int, length: int) -> Result:
    """Train for so many turns of so many batches. Keras' own TensorBoard callback needs TensorFlow, so that one is
    made here."""
    import numpy as np

    model = _model()
    model.clock = clock = Turns(turns, length)
    x: Any = np.zeros((clock.steps * BATCH, FEATURES), "float32")
    y: Any = np.zeros((clock.steps * BATCH, CLASSES), "float32")
    peer = ""
    if how == slowdown.PEER:
        peer, callback = "tensorboardX", _tensorboard()
    else:
        from losswise.integrations import LosswiseKerasCallback

        callback = LosswiseKerasCallback("fit", track_git=False, command_line=False)
    watching = _in_turns(clock, callback)
    model.fit(x, y, batch_size=BATCH, epochs=1, shuffle=False, verbose=0, callbacks=[watching])
    return {**watching.result, "peer": peer}


@functools.cache
def _model() -> Any:
    import keras

    class Model(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = keras.layers.Dense(CLASSES)
            self.clock = StepClock(0)

        def call(self, inputs: Any) -> Any:
            return self.dense(inputs)

        def train_step(self, *data: Any) -> Any:
            self.clock.tick()
            return super().train_step(*data)

    model = Model()
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"], jit_compile=False)
    return model


def _in_turns(clock: Turns, callback: Any) -> Any:
    """The callback, and in the clock's other turns one that does nothing."""
    import keras

    class Empty(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            pass

    class InTurns(keras.callbacks.Callback):
        empty = Empty()
        result: Result = {}

        def on_train_begin(self, logs: Any = None) -> None:
            callback.set_model(self.model)
            callback.set_params(self.params)
            callback.on_train_begin(logs)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            callback.on_epoch_begin(epoch, logs)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            (callback if clock.is_on else self.empty).on_train_batch_end(batch, logs)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            # the end of `fit` waits for the server, which is no step
            self.result = clock.result()
            callback.on_epoch_end(epoch, logs)

        def on_train_end(self, logs: Any = None) -> None:
            callback.on_train_end(logs)

    return InTurns()


def _tensorboard() -> Any:
    import keras
    from tensorboardX import SummaryWriter

    class TensorBoard(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.writer = SummaryWriter(os.path.join(os.environ["HOME"], "events"))

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            for name, value in (logs or {}).items():
                self.writer.add_scalar(name, value, batch)

        def on_train_end(self, logs: Any = None) -> None:
            self.writer.close()

    return TensorBoard()


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("keras_fit",)))
