"""Integrations: one file a framework, imported when it is first used.

    from losswise.integrations import LosswiseKerasCallback
    from losswise.integrations import LosswiseLogger

A file here imports its framework; nothing outside imports a file here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["LosswiseKerasCallback", "LosswiseLogger"]

_HOMES = {"LosswiseKerasCallback": "keras", "LosswiseLogger": "lightning"}

if TYPE_CHECKING:
    from losswise.integrations.keras.callback import LosswiseKerasCallback
    from losswise.integrations.lightning.logger import LosswiseLogger


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'losswise.integrations' has no attribute {name!r}")
    return getattr(import_module(f"losswise.integrations.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
