"""Find the package of Lightning that a script uses, and what LosswiseLogger needs of it.

Lightning is distributed as `lightning` and as `pytorch_lightning`, each with a copy of Fabric. A script may use one of
them, or several, and each checks its loggers against a `Logger` class of its own.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

_PACKAGES = ("lightning.pytorch", "pytorch_lightning", "lightning.fabric", "lightning_fabric")


def _find_logger_class() -> type:
    """Return `Logger` of the package that is imported already, else of the first that is installed.

    Raises:
        ImportError: none is installed.
    """
    used = [package for package in _PACKAGES if sys.modules.get(package) is not None]
    package = next(iter(used), None) or next((package for package in _PACKAGES if _is_importable(package)), None)
    if package is None:
        raise ImportError("LosswiseLogger needs Lightning 2.5: pip install 'losswise[lightning]'", name="lightning")
    logger: type = import_module(f"{package}.loggers.logger").Logger
    return logger


def _is_importable(package: str) -> bool:
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name not in ("lightning", package):
            raise
        return False
    return True


BaseLogger: Any = _find_logger_class()
# Lightning's packages share this decorator, which knows the rank of this process
rank_zero_only: Any = import_module("lightning_utilities.core.rank_zero").rank_zero_only
_fabric: Any = import_module(
    "lightning.fabric.loggers.logger"
    if BaseLogger.__module__.startswith("lightning.")
    else "lightning_fabric.loggers.logger"
)
rank_zero_experiment: Any = _fabric.rank_zero_experiment
DummyExperiment: Any = _fabric._DummyExperiment  # takes any call and does nothing


def register_logger(logger_class: Any) -> None:
    """Make `logger_class` a virtual subclass of `Logger` of each package that is loaded by now."""
    for package in _PACKAGES:
        base: Any = getattr(sys.modules.get(f"{package}.loggers.logger"), "Logger", None)
        if base is not None and not issubclass(logger_class, base):
            base.register(logger_class)
