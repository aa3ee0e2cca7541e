"""Describe a Lightning model and its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from losswise.util.unreliable import is_a, tried
from losswise.values.containers import contents_of
from losswise.values.jsonable import snapshot


def to_params(params: Any) -> dict[str, Any]:
    """Return hyperparameters as params of a session.

    Args:
        params: a mapping (a dictionary, or one of OmegaConf), a Namespace, a dataclass, another object with attributes,
            or None. Its values may be of any type: see `losswise.values.jsonable.snapshot`.

    Example:
        >>> from argparse import Namespace
        >>> to_params(Namespace(rate=0.1, layers=(64, 10)))
        {'rate': 0.1, 'layers': [64, 10]}
    """
    if contents_of(params, limit=1) is None:
        attributes = tried(vars, params)
        params = attributes if is_a(attributes, Mapping) else params
    plain = snapshot({} if params is None else params)
    return plain if isinstance(plain, dict) else {"hyperparameters": plain}


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
