"""A model and its hyperparameters, as what a session keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from losswise.values.jsonable import MAX_DEPTH, snapshot

_LEFT = ("__float__", "__index__", "tolist", "__qualname__", "__dataclass_fields__")
"""Who has one of these is known to `snapshot`, or to the session: numbers, arrays, functions, classes, dataclasses."""


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
    plain = snapshot(_known(params if params is not None else {}))
    return plain if isinstance(plain, dict) else {"hyperparameters": plain}


def _known(value: Any, depth: int = 0) -> Any:
    """The value, with what `snapshot` does not know as what it knows."""
    if value is None or isinstance(value, (bool, int, float, str)) or depth >= MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        return {name: _known(_item(value, name), depth + 1) for name in value}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [_known(_item(value, number), depth + 1) for number in range(len(value))]
    if isinstance(value, Set):
        return frozenset(value)
    if type(value).__name__ == "Namespace" or (depth == 0 and hasattr(value, "__dict__")):
        return {name: _known(item, depth + 1) for name, item in vars(value).items()}
    return value if any(hasattr(value, name) for name in _LEFT) else _text(value)


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
