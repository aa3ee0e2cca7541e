"""What losswise tells the person: single lines on stderr, each problem once, never an exception."""

from __future__ import annotations

import io
import math
import os
import sys
import time
from collections.abc import Callable
from typing import Any

_said: set[object] = set()
_MOST = 1_000
line_start = ""
"""What clears a line on which something is drawn, such as a progress bar."""
last_line: Callable[[Any], tuple[str, float]] | None = None
"""Of whoever listens to the streams: what ends the last line on one, and since when it is listened to (time.time)."""
ended_at = 0.0
"""When stderr's last line was last known to have ended (time.time)."""


def say(text: str) -> None:
    """Write `losswise: <text>` to stderr, on a line of its own. A closed or broken stderr is nobody's problem."""
    global ended_at
    try:
        stream = sys.stderr
        stream.write(f"{line_start or line_end(stream)}losswise: {text}\n")
        ended_at = time.time()
        stream.flush()
    except Exception:  # noqa: S110 - there is nowhere left to tell it
        pass


def line_end(stream: Any) -> str:
    """What ends the last line on a stream before a message of ours; empty where it has ended, or nobody knows."""
    try:
        end, since = last_line(stream) if last_line is not None else ("", math.inf)
        return end or ("\n" if _has_bar(stream, since) else "")
    except Exception:
        return ""


def _has_bar(stream: Any, since: float) -> bool:
    """Whether tqdm draws a bar there that nobody hears, for it is older, and has drawn since the last line ended."""
    tqdm = getattr(sys.modules.get("tqdm.std"), "tqdm", None)
    streams = (stream, sys.stdout) if is_one_place(stream, sys.stdout) else (stream,)
    return any(
        bar.last_print_t > ended_at and bar.start_t < since and not bar.gui and any(bar.fp == one for one in streams)
        for bar in list(getattr(tqdm, "_instances", ()))
    )


def is_one_place(one: Any, other: Any) -> bool:
    """Whether two streams write to the same terminal, pipe or file."""
    if one is other:
        return True
    if not (isinstance(one, io.TextIOWrapper) and isinstance(other, io.TextIOWrapper)):
        return False
    try:
        return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))
    except (OSError, ValueError):
        return False


def say_once(key: object, text: str) -> None:
    """Say `text` unless something was said under this key before.

    Args:
        key: what the line is about, such as ("number", graph id, name); hashable.
        text: the sentence.
    """
    if key in _said or len(_said) >= _MOST:
        return
    _said.add(key)
    say(text)


def say_error(doing: str, error: BaseException) -> None:
    """Say once a kind of error that losswise itself ran into an error while `doing` something."""
    say_once(
        ("error", doing, type(error)),
        f"an error while {doing} ({type(error).__name__}: {error}); the training goes on without it",
    )
