"""What losswise tells the person: single lines on stderr, each problem once, never an exception."""

from __future__ import annotations

import sys

_said: set[object] = set()
_MOST = 1_000
line_start = ""
"""What clears a line on which something is drawn, such as a progress bar."""


def say(text: str) -> None:
    """Write one line `losswise: <text>` to stderr. A closed or broken stderr is nobody's problem."""
    try:
        sys.stderr.write(f"{line_start}losswise: {text}\n")
        sys.stderr.flush()
    except Exception:  # noqa: S110 - there is nowhere left to tell it
        pass


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
