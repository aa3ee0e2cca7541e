"""Whatever a framework calls a number, as a Python number.

`keep` runs on the caller's thread: it makes sure that a value cannot change afterwards, and never waits for
an accelerator. `to_float` and `to_x` run on the journal thread, and may wait.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from losswise.records import INT64_MAX, INT64_MIN

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


def stream_mark(tensor: Any) -> Any:
    """What tells that all is done which is queued now for a tensor of Torch; None where nothing needs to be waited for.

    Whoever reads a tensor waits for the stream of his own thread, which is not the one in which it is computed
    where a script trains in a stream of its own. The mark's `synchronize` waits for that one.
    """
    if not getattr(tensor, "is_cuda", False):
        return None
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    cuda = torch.cuda
    stream = cuda.current_stream(tensor.device)
    return None if stream == cuda.default_stream(tensor.device) else stream.record_event()


class _Marked:
    """A tensor that is ready once its mark is reached."""

    __slots__ = ("_mark", "_tensor")

    def __init__(self, tensor: Any, mark: Any) -> None:
        self._tensor, self._mark = tensor, mark

    @property
    def shape(self) -> Any:
        return self._tensor.shape

    def read(self) -> Any:
        self._mark.synchronize()
        return self._tensor

    def item(self) -> Any:
        return self.read().item()

    def tolist(self) -> Any:
        return self.read().tolist()

    def __float__(self) -> float:
        return float(self.read())

    def __index__(self) -> int:
        return int(self.read().__index__())

    def __repr__(self) -> str:
        return repr(self.read())


def _ready(tensor: Any) -> Any:
    try:
        mark = stream_mark(tensor)
    except Exception:  # the copy is kept, come what may
        mark = None
    return tensor if mark is None else _Marked(tensor, mark)


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
