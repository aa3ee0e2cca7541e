"""Convert params, values, texts and exceptions to plain JSON, whatever types a framework keeps them in.

`snapshot` runs on the caller's thread and copies containers, so that a dictionary that is changed later does not change
what was recorded. `dumps` runs on the journal thread and reads the leaves, which may wait for an accelerator.
"""

from __future__ import annotations

import dataclasses
import json
import math
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from losswise.protocol.records import encode_number
from losswise.util.guard import guarded
from losswise.values.scalars import detach, to_float

MAX_DEPTH = 20  # nested containers; what is deeper becomes its text
MAX_TEXT_LENGTH = 100_000  # characters
MAX_ARRAY_SIZE = 1_000  # elements; a larger array is described by its shape

_encoder = json.JSONEncoder(separators=(",", ":"), default=lambda value: _leaf(value))


def dumps(value: Any) -> str:
    """Return one line of JSON. A value that JSON lacks becomes a number, a list or its text."""
    return _encoder.encode(value)


def snapshot(value: Any, depth: int = 0) -> Any:
    """Copy nested containers, `depth` of which are around the value.

    Returns:
        Dictionaries with text as keys (also for dataclasses), lists (also for sets, sorted), and leaves that `dumps`
        can encode, copied if they could be modified.
    """
    if isinstance(value, float):
        return encode_number(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return to_text(value)
    if depth >= MAX_DEPTH:
        return to_text(repr(value)[:200])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {to_name(key): snapshot(item, depth + 1) for key, item in list(value.items())}
    if isinstance(value, (list, tuple)):
        return [snapshot(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((snapshot(item, depth + 1) for item in value), key=repr)
    return detach(value)


def to_name(value: Any) -> str:
    """Return the value as text that can name a graph, a metric or a param."""
    return to_text(value if isinstance(value, str) else str(value))


def to_text(value: str, max_length: int = MAX_TEXT_LENGTH) -> str:
    """Return the text as one that UTF-8 can encode, without lone surrogates, cut with a note after `max_length`."""
    value = str.__str__(value)  # of an instance of a subclass
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    if len(value) <= max_length:
        return value
    return value[: max_length - 60] + f"\n… [cut by losswise: {len(value)} characters]"


def try_text(convert: Callable[[Any], str], value: Any, default: str) -> str:
    """Return `convert(value)`, or `default` if that raises, as a user's `__str__` may."""
    try:
        return convert(value)
    except Exception:
        return default


@guarded("describing an error")
def describe_exception(error: BaseException | Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return an exception, or a mapping that describes it already, as the error of a status record.

    That has `type`, `message` and `traceback`, empty where the exception's own code raises. None stays None.
    """
    if error is None:
        return None
    if isinstance(error, Mapping):
        return {to_name(key): try_text(to_name, value, "") for key, value in error.items()}
    return {
        "type": type(error).__name__ if isinstance(error, BaseException) else "",
        "message": try_text(to_name, error, ""),
        "traceback": try_text(lambda error: to_text("".join(traceback.format_exception(error))), error, ""),
    }


def _leaf(value: Any) -> Any:
    shape = getattr(value, "shape", None)
    if shape is not None and tuple(shape) != () and hasattr(value, "tolist"):
        is_small = math.prod(shape) <= MAX_ARRAY_SIZE
        return snapshot(value.tolist()) if is_small else f"array of shape {tuple(shape)}"
    if hasattr(value, "__float__") or hasattr(value, "__index__"):
        number = to_float(value)
        if number is not None:
            return int(number) if hasattr(value, "__index__") and number.is_integer() else encode_number(number)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{getattr(value, '__module__', '')}.{value.__qualname__}".lstrip(".")
    return to_text(str(value))
