"""A progress bar on stderr, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
import time

from losswise.util import messages
from losswise.util.units import size_text

WIDTH = 30
DRAW_INTERVAL_S = 0.1
CLEAR = "\r\x1b[K"


class Progress:
    """A progress bar for a number of bytes. Draws nothing if stderr is not a terminal.

    Example:
        >>> with Progress(1_000) as progress:
        ...     progress.advance(500)
    """

    def __init__(self, total: int) -> None:
        self._total = max(1, total)
        self._done = 0
        self._drawn_at = 0.0
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()

    def advance(self, size: int) -> None:
        """Add `size` bytes to what is done."""
        self._done += size
        if self._is_shown and time.monotonic() - self._drawn_at > DRAW_INTERVAL_S:
            self._draw()

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        share = min(1.0, self._done / self._total)
        bar = "█" * round(WIDTH * share) + "░" * (WIDTH - round(WIDTH * share))
        _write(f"{CLEAR}sending {bar} {share:4.0%} of {size_text(self._total)}")

    def __enter__(self) -> Progress:
        messages.line_start = CLEAR if self._is_shown else ""
        if self._is_shown:
            self._draw()
        return self

    def __exit__(self, *error: object) -> None:
        messages.line_start = ""
        if self._is_shown:
            _write(CLEAR)


def _write(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a terminal whose encoding has no such characters
        sys.stderr.write(text)
        sys.stderr.flush()
