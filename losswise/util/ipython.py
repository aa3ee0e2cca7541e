"""Detect IPython: the running shell, and whether it is a notebook kernel."""

from __future__ import annotations

import sys
from typing import Any

from losswise.util import ipython


def shell() -> Any:
    """The IPython shell that this process runs, or None. IPython is not imported for it."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get() if get is not None else None


def _stays() -> bool:
    """Whether IPython runs this code: it goes on after sys.exit."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    kinds = [kind.__name__ for kind in type(get() if get is not None else None).__mro__]
    return "InteractiveShell" in kinds and "InteractiveShellEmbed" not in kinds


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook: Jupyter, VS Code, Colab. IPython in a terminal is none."""
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(ipython.shell()).__mro__)
