"""Read from a Keras model and its running `fit`: params, summary, learning rate, number of samples.

Keras gives a callback the model and the numbers of epochs and steps. The data and the other callbacks are local
variables of `fit`, so they are read from its stack frame. Everything here copes with their absence.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any

import keras

from losswise.util.guard import guarded


@guarded("looking for fit")
def find_fit_frame() -> FrameType | None:
    """Return the stack frame of the `fit` that calls the callback; None if a custom loop does."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and isinstance(frame.f_locals.get("self"), keras.Model):
            return frame
        frame = frame.f_back
    return None


@guarded("looking at the data")
def data_adapter(fit: FrameType | None) -> Any:
    """Return the DataAdapter of Keras that gives `fit` its batches; None if unknown."""
    return getattr(fit.f_locals.get("epoch_iterator"), "data_adapter", None) if fit is not None else None


@guarded("looking at the callbacks", default=())
def fit_callbacks(fit: FrameType | None) -> Sequence[Any]:
    """Return all callbacks of a `fit`, in their order; empty if unknown."""
    return list(getattr(fit.f_locals.get("callbacks"), "callbacks", ())) if fit is not None else []


def model_params(model: Any, fit_params: Mapping[str, Any], adapter: Any) -> dict[str, Any]:
    """Return params of a model and its fit. Those that are unknown are left out.

    Args:
        model: a keras.Model.
        fit_params: `Callback.params` of Keras: epochs, steps.
        adapter: as `data_adapter` returns it.
    """
    getters: dict[str, Callable[[], Any]] = {
        "model": lambda: model.name,
        "optimizer": lambda: None if model.optimizer is None else type(model.optimizer).__name__,
        "optimizer_config": lambda: model.optimizer.get_config(),
        "loss": lambda: _loss_name(model.loss),
        "parameters": lambda: model.count_params() if model.built else None,
        "trainable_parameters": lambda: _count_elements(model.trainable_weights) if model.built else None,
        "batch_size": lambda: _batch_size(adapter),
        "epochs": lambda: fit_params.get("epochs"),
        "steps_per_epoch": lambda: fit_params.get("steps"),
        "keras": lambda: keras.__version__,
        "backend": keras.backend.backend,
    }
    found = {}
    for name, get in getters.items():
        with contextlib.suppress(Exception):  # a model class of the user may lack any of them
            value = get()
            if value is not None:
                found[name] = value
    return found


def model_summary(model: Any) -> str:
    """Return the model's summary as text; empty if the model is not built yet."""
    lines: list[str] = []
    with contextlib.suppress(Exception):
        if model.built:
            model.summary(print_fn=lambda line, **_: lines.append(str(line)), line_length=100)
    return "\n".join(lines).strip()


def learning_rate(model: Any) -> float | None:
    """Return the optimizer's learning rate (of a schedule, that of the next batch); None if unknown."""
    with contextlib.suppress(Exception):
        return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    return None


def trained_batches(model: Any) -> int:
    """Return how many batches the optimizer has processed, also before the model was saved; 0 if unknown."""
    with contextlib.suppress(Exception):
        batches_per_step = getattr(model.optimizer, "gradient_accumulation_steps", None) or 1
        return int(keras.ops.convert_to_numpy(model.optimizer.iterations)) * int(batches_per_step)
    return 0


@guarded("counting samples")
def count_samples(adapter: Any, batches: int) -> int | None:
    """Return the number of samples in the first batches of an epoch; None if the batch size is unknown.

    Args:
        adapter: as `data_adapter` returns it.
        batches: as Keras counts them, which with `steps_per_execution` may be more than the data has.
    """
    size = _batch_size(adapter)
    if size is None:
        return None
    batches = min(batches, adapter.num_batches or batches)
    samples = batches * size
    if batches == adapter.num_batches and adapter.has_partial_batch and adapter.partial_batch_size:
        samples -= size - adapter.partial_batch_size
    return samples


def _batch_size(adapter: Any) -> int | None:
    size = getattr(adapter, "batch_size", None)
    return int(size) if size else None


def _count_elements(weights: Any) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _loss_name(loss: Any) -> Any:
    """Return the name of a loss; of several, their names in the same container."""
    if loss is None or isinstance(loss, str):
        return loss
    if isinstance(loss, Mapping):
        return {name: _loss_name(part) for name, part in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_loss_name(part) for part in loss]
    return getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__
