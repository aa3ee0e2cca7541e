"""A model and its hyperparameters, as what a session keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from typing import Any

MAX_DEPTH = 20


def plain_params(params: Any) -> dict[str, Any]:
    """Hyperparameters by name.

    Args:
        params: a mapping such as a dictionary or OmegaConf's, a Namespace, a dataclass, or None. What is in it
            may be anything: what is no number, text or container becomes its text.

    Example:
        >>> from argparse import Namespace
        >>> plain_params(Namespace(rate=0.1, layers=(64, 10)))
        {'rate': 0.1, 'layers': [64, 10]}
    """
    plain = _plain(params if params is not None else {})
    return plain if isinstance(plain, dict) else {"hyperparameters": plain}


def _plain(value: Any, depth: int = 0) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth >= MAX_DEPTH:
        return _text(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(_item(value, name), depth + 1) for name in value}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name, None), depth + 1) for field in dataclasses.fields(value)}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [_plain(_item(value, number), depth + 1) for number in range(len(value))]
    if isinstance(value, Set):
        return sorted((_plain(item, depth + 1) for item in value), key=repr)
    if type(value).__name__ == "Namespace" or (depth == 0 and hasattr(value, "__dict__")):
        return {str(name): _plain(item, depth + 1) for name, item in vars(value).items()}
    if (
        hasattr(value, "__float__")
        or hasattr(value, "__index__")
        or hasattr(value, "tolist")
        or hasattr(value, "__qualname__")
    ):
        return value  # numbers and arrays of a framework, functions and classes: the session knows them
    return _text(value)


def _item(container: Any, key: Any) -> Any:
    try:
        return container[key]
    except Exception as error:  # OmegaConf's values may be missing, or refer to what is not there
        return f"<{type(error).__name__}>"


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


def described(model: Any) -> tuple[str, int, int]:
    """A table of the model's parts as markdown, and the numbers of its parameters, all and trainable."""

    def count(parameters: Any) -> tuple[int, int]:
        sizes = [(_size(parameter), parameter.requires_grad) for parameter in parameters]
        return sum(size for size, _ in sizes), sum(size for size, is_trained in sizes if is_trained)

    lines = ["| part | type | parameters |", "|---|---|---:|"]
    for name, part in model.named_children():
        lines.append(f"| {name} | {type(part).__name__} | {count(part.parameters())[0]:,} |")
    parameters, trainable = count(model.parameters())
    lines.append(f"| **all** | {type(model).__name__} | {parameters:,} ({trainable:,} trainable) |")
    return "\n".join(lines), parameters, trainable


def _size(parameter: Any) -> int:
    try:
        return int(parameter.numel())
    except (RuntimeError, ValueError):  # a lazy layer that has seen no data
        return 0
