"""Remember that SIGTERM came: if the process ends soon after the signal, it was cancelled, however it ends."""

from __future__ import annotations

import math
import time

# a process that goes on for longer has handled SIGTERM in another way than by ending
STOPPING_S = 600.0

_noted_at = -math.inf


def note() -> None:
    """Remember that SIGTERM came just now."""
    global _noted_at
    _noted_at = time.monotonic()


def is_stopping() -> bool:
    """Return whether the process is ending because of SIGTERM."""
    return time.monotonic() - _noted_at < STOPPING_S


def forget() -> None:
    """Forget the signal, in a forked child, which did not get it."""
    global _noted_at
    _noted_at = -math.inf
