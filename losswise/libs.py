"""The import path of losswise 4.0, kept for existing scripts: `from losswise.libs import LosswiseKerasCallback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["LosswiseKerasCallback"]

if TYPE_CHECKING:
    from losswise.integrations.keras import LosswiseKerasCallback


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'losswise.libs' has no attribute {name!r}")
    from losswise.integrations import keras  # only now: it imports Keras

    return getattr(keras, name)
