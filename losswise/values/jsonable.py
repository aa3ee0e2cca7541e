"""Params, values and texts as plain JSON, however a framework holds them.

`snapshot` runs on the caller's thread and copies containers, so that a dictionary changed later does not
change what was recorded; `dumps` runs on the journal thread and reads what is left.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from losswise.protocol.numbers import encode_number
from losswise.values.scalars import keep, to_float

MAX_DEPTH = 20
MAX_TEXT = 100_000

_encoder = json.JSONEncoder(separators=(",", ":"), default=lambda value: _leaf(value))


def dumps(value: Any) -> str:
    """One line of JSON. What JSON does not know becomes a number, a list or its text."""
    return _encoder.encode(value)


def snapshot(value: Any, depth: int = 0) -> Any:
    """A copy of nested containers with names as text; the leaves stay what they are, copied if writable."""
    if isinstance(value, float):
        return encode_number(value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return text(value)
    if depth >= MAX_DEPTH:
        return text(repr(value)[:200])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name(key): snapshot(item, depth + 1) for key, item in list(value.items())}
    if isinstance(value, (list, tuple)):
        return [snapshot(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((snapshot(item, depth + 1) for item in value), key=repr)
    return keep(value)


def name(value: Any) -> str:
    """A name of a graph, a quantity or a param, as text that UTF-8 can carry."""
    return text(value if isinstance(value, str) else str(value))


def text(value: str, most: int = MAX_TEXT) -> str:
    """Plain text without lone surrogates (UTF-8 cannot carry them), cut with a note where it is too long."""
    value = str.__str__(value)
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    if len(value) <= most:
        return value
    return value[: most - 60] + f"\n… [cut by losswise: {len(value)} characters]"


def _leaf(value: Any) -> Any:
    shape = getattr(value, "shape", None)
    if shape is not None and tuple(shape) != () and hasattr(value, "tolist"):
        size = math.prod(shape)
        return snapshot(value.tolist()) if size <= 1_000 else f"array of shape {tuple(shape)}"
    if hasattr(value, "__float__") or hasattr(value, "__index__"):
        number = to_float(value)
        if number is not None:
            return int(number) if hasattr(value, "__index__") and number.is_integer() else encode_number(number)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{getattr(value, '__module__', '')}.{value.__qualname__}".lstrip(".")
    return text(str(value))
