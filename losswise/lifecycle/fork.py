"""Detect spawned workers that re-import the main script."""

from __future__ import annotations

import sys
from types import FrameType


def is_reimport() -> bool:
    """Whether a spawned worker of multiprocessing is just importing the script that its parent runs."""
    if "multiprocessing.spawn" not in sys.modules:
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__mp_main__":
            return True
        frame = frame.f_back
    return False
