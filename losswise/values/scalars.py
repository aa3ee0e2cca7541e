"""Whatever a framework calls a number, as a Python number.

`keep` runs on the caller's thread: it makes sure that a value cannot change afterwards, and never waits for
an accelerator. `to_float` and `to_x` run on the journal thread, and may wait.
"""

from __future__ import annotations

import math
from typing import Any

from losswise.protocol.limits import INT64_MAX, INT64_MIN
from losswise.values.cuda import _Marked, _ready

_BACKGROUND = frozenset(("torch", "jax", "jaxlib", "tensorflow", "mlx", "cupy"))
_OF_DEVICES = ("detach", "block_until_ready", "__cuda_array_interface__")
_IMMUTABLE = frozenset((bool, int, float, str, bytes, complex, type(None)))


def keep(value: Any) -> Any:
    """The value, or a copy of what it is now, where it could be written to later.

    A tensor is detached and copied on its own device, which only queues the copy there: nothing is waited for.
    What no framework is known to compute in the background is read at once.
    """
    if type(value) in _IMMUTABLE:
        return value
    try:
        if hasattr(value, "assign") and hasattr(value, "value"):  # a variable of Keras or TensorFlow
            value = value.value() if callable(value.value) else value.value
        if hasattr(value, "detach") and hasattr(value, "clone"):  # torch
            return _ready(value.detach().clone())
        if hasattr(value, "__cuda_array_interface__") or type(value).__module__ == "numpy":
            return value.copy() if hasattr(value, "copy") else value
        if is_slow(value):
            return value
        number = to_float(value) if hasattr(value, "__float__") or hasattr(value, "item") else None
    except Exception:
        return value
    return value if number is None else number


def is_slow(value: Any) -> bool:
    """Whether an accelerator may still be computing it, so that to read it is to wait."""
    if type(value) in _IMMUTABLE:
        return False
    if type(value) is _Marked:
        return True
    package = type(value).__module__.partition(".")[0]
    return package in _BACKGROUND or any(hasattr(value, name) for name in _OF_DEVICES)


def to_float(value: Any) -> float | None:
    """A float, NaN and infinities too; None where the value is not one number.

    Takes int, bool, Decimal, Fraction, and scalars (or arrays of one element) of NumPy, Torch, JAX,
    TensorFlow and Keras.
    """
    if isinstance(value, (str, bytes, bytearray, complex)):
        return None
    try:
        return float(value)
    except OverflowError:
        return (math.inf if value > 0 else -math.inf) if isinstance(value, int) else None
    except Exception:
        item = getattr(value, "item", None)  # an array of shape (1, 1), which float() refuses
    if item is None:
        return None
    try:
        number = item()
        return None if isinstance(number, (str, bytes, complex)) else float(number)
    except Exception:
        return None


def to_x(value: Any) -> int | None:
    """A 64-bit whole number; None where the value is none. A float that is one is taken."""
    if type(value) is not int:
        number = _whole(value)
        if number is None:
            return None
        value = number
    return value if INT64_MIN <= value <= INT64_MAX else None


def _whole(value: Any) -> int | None:
    try:
        return int(value.__index__())
    except Exception:
        number = to_float(value)
    return int(number) if number is not None and math.isfinite(number) and number == int(number) else None
