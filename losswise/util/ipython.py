"""Detect IPython, without importing it."""

from __future__ import annotations

import sys
from typing import Any


def running_shell() -> Any:
    """Return the IPython shell that runs in this process, or None."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get() if get is not None else None


def _shell_classes() -> set[str]:
    return {kind.__name__ for kind in type(running_shell()).__mro__}


def is_notebook() -> bool:
    """Return whether this process is a notebook's kernel (Jupyter, VS Code, Colab), not IPython in a terminal."""
    return "ZMQInteractiveShell" in _shell_classes()


def survives_exit() -> bool:
    """Return whether the process goes on after sys.exit, because IPython runs the code."""
    classes = _shell_classes()
    return "InteractiveShell" in classes and "InteractiveShellEmbed" not in classes
