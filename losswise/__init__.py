"""Losswise watches models train.

    import losswise

    session = losswise.Session(tag="first try", max_iter=100, params={"rate": 0.1})
    graph = session.graph("loss", kind="min")
    graph.append(0, {"train_loss": 2.3})
    session.done()

Names are imported when they are first used, so that `import losswise` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "5.0.0.dev0"
__all__ = ["Graph", "Session", "__version__", "set_api_key", "set_base_url"]

_HOMES = {
    "Graph": "losswise.graph",
    "Session": "losswise.session",
    "set_api_key": "losswise.settings",
    "set_base_url": "losswise.settings",
}

if TYPE_CHECKING:
    from losswise.graph import Graph
    from losswise.session import Session
    from losswise.settings import set_api_key, set_base_url


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'losswise' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
