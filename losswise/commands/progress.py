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
    """A progress bar for `total` bytes. Draws nothing if stderr is not a terminal.

    Example:
        >>> with Progress(1_000) as progress:
        ...     progress.show(500)
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._drawn_at = 0.0
        self._is_shown = sys.stderr is not None and sys.stderr.isatty()

    def show(self, done: int) -> None:
        """Draw that `done` bytes are done, unless the bar was drawn a moment ago."""
        if self._is_shown and time.monotonic() - self._drawn_at > DRAW_INTERVAL_S:
            self._drawn_at = time.monotonic()
            share = min(1.0, done / max(1, self.total))
            bar = ("█" * round(WIDTH * share)).ljust(WIDTH, "░")
            _write(f"{CLEAR}sending {bar} {share:4.0%} of {size_text(self.total)}")

    def __enter__(self) -> Progress:
        messages.line_start = CLEAR if self._is_shown else ""
        self.show(0)
        return self

    def __exit__(self, *error: object) -> None:
        messages.line_start = ""
        if self._is_shown:
            _write(CLEAR)


def _write(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a terminal whose encoding has no such characters
        sys.stderr.write(text)
        sys.stderr.flush()
