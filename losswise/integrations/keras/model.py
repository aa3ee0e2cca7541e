"""What a Keras model and its running `fit` tell: params, summary, learning rate, number of samples."""

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
def fit_frame() -> FrameType | None:
    """The frame of the `fit` that is calling: it knows what Keras does not tell its callbacks. None: a loop of
    the script's own drives the callbacks."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and isinstance(frame.f_locals.get("self"), keras.Model):
            return frame
        frame = frame.f_back
    return None


@guarded("looking at the data")
def adapter_of(fit: FrameType | None) -> Any:
    """What gives `fit` its batches, a keras DataAdapter; None where it is not known."""
    return getattr(fit.f_locals.get("epoch_iterator"), "data_adapter", None) if fit is not None else None


@guarded("looking at the callbacks", default=())
def callbacks_of(fit: FrameType | None) -> Sequence[Any]:
    """All callbacks of a `fit`, in their order."""
    return list(getattr(fit.f_locals.get("callbacks"), "callbacks", ())) if fit is not None else []


def found_params(model: Any, told: Mapping[str, Any], adapter: Any) -> dict[str, Any]:
    """Params that a model and its fit tell; what cannot be known is left out.

    Args:
        model: a keras.Model.
        told: what Keras tells its callbacks: `epochs`, `steps`.
        adapter: as `adapter_of` gives it.
    """
    ways: dict[str, Callable[[], Any]] = {
        "model": lambda: model.name,
        "optimizer": lambda: None if model.optimizer is None else type(model.optimizer).__name__,
        "optimizer_config": lambda: model.optimizer.get_config(),
        "loss": lambda: _named(model.loss),
        "parameters": lambda: model.count_params() if model.built else None,
        "trainable_parameters": lambda: _size(model.trainable_weights) if model.built else None,
        "batch_size": lambda: _batch_size(adapter),
        "epochs": lambda: told.get("epochs"),
        "steps_per_epoch": lambda: told.get("steps"),
        "keras": lambda: keras.__version__,
        "backend": keras.backend.backend,
    }
    found = {}
    for name, way in ways.items():
        with contextlib.suppress(Exception):  # a model of the person's own may lack any of them
            value = way()
            if value is not None:
                found[name] = value
    return found


def summary_of(model: Any) -> str:
    """The model's summary; empty where it is not built yet."""
    lines: list[str] = []
    with contextlib.suppress(Exception):
        if model.built:
            model.summary(print_fn=lambda line, **_: lines.append(str(line)), line_length=100)
    return "\n".join(lines).strip()


def learning_rate_of(model: Any) -> float | None:
    """The optimizer's learning rate now; of a schedule, what it gives for the next batch."""
    with contextlib.suppress(Exception):
        return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    return None


def batches_seen_by(model: Any) -> int:
    """How many batches the optimizer has been through, also before the model was saved and loaded; 0: not known."""
    with contextlib.suppress(Exception):
        each = getattr(model.optimizer, "gradient_accumulation_steps", None) or 1
        return int(keras.ops.convert_to_numpy(model.optimizer.iterations)) * int(each)
    return 0


@guarded("counting samples")
def samples_in(adapter: Any, batches: int) -> int | None:
    """How many samples so many first batches of an epoch have; None where the batch size is not known.

    Args:
        adapter: as `adapter_of` gives it.
        batches: as Keras counts them, which with `steps_per_execution` may be more than there are.
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


def _size(weights: Any) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _named(loss: Any) -> Any:
    """The loss as a person calls it: its name, or the names of several."""
    if loss is None or isinstance(loss, str):
        return loss
    if isinstance(loss, Mapping):
        return {name: _named(part) for name, part in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_named(part) for part in loss]
    return getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__
