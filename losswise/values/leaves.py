"""Convert what is neither a container nor plain JSON: numbers and arrays of any framework, functions, other objects."""

from __future__ import annotations

import math
from typing import Any

from losswise.protocol.records import encode_number
from losswise.util.unreliable import has, tried
from losswise.values.scalars import detach, is_pending, to_float
from losswise.values.texts import MAX_INT_BITS, describe

MAX_ARRAY_SIZE = 1_000  # elements; a larger array is described by its shape


def detached_leaf(value: Any) -> Any:
    """Convert a leaf on the caller's thread, without waiting for an accelerator. Never raises.

    Returns:
        As `read_leaf`; or a copy of a value that an accelerator may still compute, for `read_leaf` on another thread.
    """
    if (size := size_of(value)) is None or size <= MAX_ARRAY_SIZE:  # else it is not even copied
        value = detach(value)
        if is_pending(value) and (size is not None or has(value, "__float__")):
            return value
    return read_leaf(value)


def read_leaf(value: Any) -> Any:
    """Return a number, text, or the elements of a small array in nested lists. May wait for an accelerator."""
    for read in (_read_array, _read_number, _read_function):
        found = tried(read, value)
        if type(found) in (int, float, str, list):  # not a Failure, nor what an odd `tolist` returns
            return found
    return describe(value)


def size_of(value: Any) -> int | None:
    """Return the number of elements of an array or a tensor; None if the value has no shape."""
    shape = tried(_shape, value)
    return math.prod(shape) if type(shape) is tuple else None


def _shape(value: Any) -> tuple[int, ...] | None:
    shape = getattr(value, "shape", None)
    return None if shape is None else tuple(int(length.__index__()) for length in shape)


def _read_array(value: Any) -> Any:
    shape = _shape(value)
    if not shape or not hasattr(value, "tolist"):
        return None
    return value.tolist() if math.prod(shape) <= MAX_ARRAY_SIZE else f"array of shape {shape}"


def _read_number(value: Any) -> Any:
    has_index = hasattr(value, "__index__")
    if not (has_index or hasattr(value, "__float__")):
        return None
    whole = tried(lambda: int(value.__index__())) if has_index else None
    if type(whole) is int:
        return whole if whole.bit_length() <= MAX_INT_BITS else describe(whole)
    number = to_float(value)
    if number is None:
        return None
    return int(number) if has_index and number.is_integer() else encode_number(number)


def _read_function(value: Any) -> str | None:
    if not (callable(value) and hasattr(value, "__qualname__")):
        return None
    return f"{getattr(value, '__module__', '')}.{value.__qualname__}".lstrip(".")
