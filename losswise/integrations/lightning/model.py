"""Describe a Lightning model and its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from losswise.values.jsonable import MAX_DEPTH, snapshot

# Values with one of these attributes (numbers, arrays, functions, classes, dataclasses) are left to `snapshot`
_KNOWN_ATTRIBUTES = ("__float__", "__index__", "tolist", "__qualname__", "__dataclass_fields__")


def to_params(params: Any) -> dict[str, Any]:
    """Return hyperparameters as params of a session.

    Args:
        params: a mapping (a dictionary, or one of OmegaConf), a Namespace, a dataclass, or None. Its values may be of
            any type: those that are not numbers, text or containers become their text.

    Example:
        >>> from argparse import Namespace
        >>> to_params(Namespace(rate=0.1, layers=(64, 10)))
        {'rate': 0.1, 'layers': [64, 10]}
    """
    plain = snapshot(_plain(params if params is not None else {}))
    return plain if isinstance(plain, dict) else {"hyperparameters": plain}


def _plain(value: Any, depth: int = 0) -> Any:
    """Replace containers and objects that `snapshot` does not know by ones that it does."""
    if value is None or isinstance(value, (bool, int, float, str)) or depth >= MAX_DEPTH:
        return value
    if isinstance(value, Mapping):
        return {name: _plain(_item(value, name), depth + 1) for name in value}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [_plain(_item(value, number), depth + 1) for number in range(len(value))]
    if isinstance(value, Set):
        return frozenset(value)
    if type(value).__name__ == "Namespace" or (depth == 0 and hasattr(value, "__dict__")):
        return {name: _plain(item, depth + 1) for name, item in vars(value).items()}
    return value if any(hasattr(value, name) for name in _KNOWN_ATTRIBUTES) else _text(value)


def _item(container: Any, key: Any) -> Any:
    try:
        return container[key]
    except Exception as error:  # a value of OmegaConf may be missing, or refer to one that is
        return f"<{type(error).__name__}>"


def _text(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__}>"


def describe_model(model: Any) -> tuple[str, int, int]:
    """Return a markdown table of the model's parts, its number of parameters, and that of the trainable ones."""

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
    except (RuntimeError, ValueError):  # a lazy layer before its first batch
        return 0
