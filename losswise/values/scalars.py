"""Read the numbers of any framework as Python numbers.

`detach` runs on the caller's thread: it makes sure that the value cannot change afterwards, and never waits for an
accelerator. `to_float`, `to_x` and `to_step` run on the journal thread and may wait. None of them raises.
"""

from __future__ import annotations

import math
from typing import Any

from losswise.protocol.limits import INT64_MAX, INT64_MIN
from losswise.util.unreliable import Failure, tried

# Packages, and attributes, of values that an accelerator may still be computing
_ASYNCHRONOUS = frozenset(("torch", "jax", "jaxlib", "tensorflow", "mlx", "cupy"))
_DEVICE_ATTRIBUTES = ("detach", "block_until_ready", "__cuda_array_interface__")
_IMMUTABLE = frozenset((bool, int, float, str, bytes, complex, type(None)))


def detach(value: Any) -> Any:
    """Return the value, or a copy of it if it could be modified later. Never raises.

    A tensor is detached from its graph and copied on its own device, which only queues the copy there. A variable of
    Keras or TensorFlow gives its current value. A number of an unknown type is read at once.
    """
    kind = type(value)
    if kind is float or kind is int or kind is str:
        return value
    found = tried(_detach, value)
    return value if type(found) is Failure else found


def _detach(value: Any) -> Any:
    if type(value) in _IMMUTABLE:
        return value
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
    return value if number is None else number


def is_pending(value: Any) -> bool:
    """Return whether an accelerator may still be computing the value, so that reading it may block."""
    kind = type(value)
    return not (kind is float or kind is int or kind is str) and tried(_is_pending, value) is True


def _is_pending(value: Any) -> bool:
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
    if type(value) is float:
        return value
    number = tried(_float, value)
    if type(number) is Failure:
        number = tried(lambda: _float(value.item()))  # an array of shape (1, 1), for which float() raises
    return number if type(number) is float else None


def _float(value: Any) -> float | None:
    if isinstance(value, (str, bytes, bytearray, complex)):
        return None
    try:
        return float(value)
    except OverflowError:
        if isinstance(value, int):
            return math.inf if int.__gt__(value, 0) else -math.inf
        raise


def to_x(value: Any) -> int | None:
    """Return the value as an int of 64 bits; None if it is not a whole number (3.0 is) or too large."""
    x = to_step(value)
    return x if isinstance(x, int) else None


def to_step(value: Any) -> int | float | None:
    """Return the value as an int of 64 bits if it is a whole number, else as a float.

    Returns:
        None if it is not a number, not finite, or beyond 64 bits.
    """
    whole = tried(lambda: int(value.__index__()))
    if type(whole) is not int:
        number = to_float(value)
        if number is None or not math.isfinite(number):
            return None
        if not number.is_integer():
            return number
        whole = int(number)
    return whole if INT64_MIN <= whole <= INT64_MAX else None
