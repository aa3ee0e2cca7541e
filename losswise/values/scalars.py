"""Read the numbers of any framework as Python numbers.

`detach` runs on the caller's thread: it makes sure that the value cannot change afterwards, and never waits for an
accelerator. `to_float` and `to_x` run on the journal thread and may wait.
"""

from __future__ import annotations

import math
from typing import Any

from losswise.protocol.limits import INT64_MAX, INT64_MIN

# Packages, and attributes, of values that an accelerator may still be computing
_ASYNCHRONOUS = frozenset(("torch", "jax", "jaxlib", "tensorflow", "mlx", "cupy"))
_DEVICE_ATTRIBUTES = ("detach", "block_until_ready", "__cuda_array_interface__")
_IMMUTABLE = frozenset((bool, int, float, str, bytes, complex, type(None)))


def detach(value: Any) -> Any:
    """Return the value, or a copy of it if it could be modified later.

    A tensor is detached from its graph and copied on its own device, which only queues the copy there. A variable of
    Keras or TensorFlow gives its current value. A number of an unknown type is read at once.
    """
    if type(value) in _IMMUTABLE:
        return value
    try:
        if hasattr(value, "assign") and hasattr(value, "value"):  # a variable of Keras or TensorFlow
            value = value.value() if callable(value.value) else value.value
        if hasattr(value, "detach") and hasattr(value, "clone"):  # torch
            from losswise.values.cuda import PendingTensor, record_event  # not needed without PyTorch

            tensor = value.detach().clone()
            event = record_event(tensor)
            return tensor if event is None else PendingTensor(tensor, event)
        if hasattr(value, "__cuda_array_interface__") or type(value).__module__ == "numpy":
            return value.copy() if hasattr(value, "copy") else value
        if is_pending(value):
            return value
        number = to_float(value) if hasattr(value, "__float__") or hasattr(value, "item") else None
    except Exception:
        return value
    return value if number is None else number


def is_pending(value: Any) -> bool:
    """Return whether an accelerator may still be computing the value, so that reading it may block."""
    if type(value) in _IMMUTABLE:
        return False
    module = type(value).__module__
    if module == "losswise.values.cuda":
        return True
    package = module.partition(".")[0]
    return package in _ASYNCHRONOUS or any(hasattr(value, name) for name in _DEVICE_ATTRIBUTES)


def to_float(value: Any) -> float | None:
    """Return the value as a float, NaN and infinities included; None if it is not a single number.

    Args:
        value: int, bool, Decimal, Fraction, or a scalar (or an array of one element) of NumPy, Torch, JAX, TensorFlow
            or Keras. Text and complex numbers are not numbers here.
    """
    if isinstance(value, (str, bytes, bytearray, complex)):
        return None
    try:
        return float(value)
    except OverflowError:
        return (math.inf if value > 0 else -math.inf) if isinstance(value, int) else None
    except Exception:
        item: Any = getattr(value, "item", None)  # an array of shape (1, 1), for which float() raises
    try:
        number = item()
        return None if isinstance(number, (str, bytes, complex)) else float(number)
    except Exception:
        return None


def to_x(value: Any) -> int | None:
    """Return the value as an int of 64 bits; None if it is not a whole number (3.0 is) or too large."""
    try:
        whole = int(value.__index__())
    except Exception:
        number = to_float(value)
        if number is None or not number.is_integer():
            return None
        whole = int(number)
    return whole if INT64_MIN <= whole <= INT64_MAX else None
