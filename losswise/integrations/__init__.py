"""Integrations with training frameworks, each imported when it is first used.

    from losswise.integrations import LosswiseKerasCallback
    from losswise.integrations import LosswiseLogger

A package here imports its framework, and nothing else in losswise imports a package here. To add one, see
docs/developing/add-an-integration.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["LosswiseKerasCallback", "LosswiseLogger"]

_PACKAGES = {"LosswiseKerasCallback": "keras", "LosswiseLogger": "lightning"}

if TYPE_CHECKING:
    from losswise.integrations.keras import LosswiseKerasCallback
    from losswise.integrations.lightning import LosswiseLogger


def __getattr__(name: str) -> Any:
    if name not in _PACKAGES:
        raise AttributeError(f"module 'losswise.integrations' has no attribute {name!r}")
    return getattr(import_module(f"losswise.integrations.{_PACKAGES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
