"""Messages to the user: single lines on stderr, each problem once, never an exception."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from losswise.util.unreliable import tried, type_name

# set by what draws on the line itself, such as the progress bar of `losswise sync`: clears it
line_start = ""
# the console capture, which knows what is written to the standard streams; None while nothing is captured
output: Any = None

MAX_ONCE_KEYS = 1_000
MAX_ERROR_CHARS = 500
_said: set[object] = set()


def notify(text: str) -> None:
    """Write `losswise: <text>` to stderr, on a line of its own. Does nothing if stderr is closed or broken."""
    with contextlib.suppress(Exception), contextlib.ExitStack() as stack:  # there is no other place to report it
        stream = sys.stderr
        start = _clear_bars(stream, stack)
        stream.write(f"{start}losswise: {text}\n")
        stream.flush()


def _clear_bars(stream: Any, stack: contextlib.ExitStack) -> str:
    """Have tqdm clear its bars until `stack` is closed. Returns what the message begins with."""
    if line_start:
        return line_start
    before = output.writes if output is not None else 0
    with contextlib.suppress(Exception):
        tqdm = getattr(sys.modules.get("tqdm"), "tqdm", None)
        if tqdm is not None:
            # without tqdm's lock, which a fork may leave locked forever; a bar drawn at this very moment does no harm
            stack.enter_context(tqdm.external_write_mode(file=stream, nolock=True))
    with contextlib.suppress(Exception):
        if output is not None and output.writes == before:  # else tqdm has left the cursor on an empty line
            return output.finish_line(stream)
    return ""


def notify_once(key: object, text: str) -> None:
    """Write a message unless one was written under this key before, such as ("number", graph id, name)."""
    if key in _said or len(_said) >= MAX_ONCE_KEYS:
        return
    _said.add(key)
    notify(text)


def notify_error(doing: str, error: BaseException) -> None:
    """Report an error inside losswise, once for each kind of error and activity, as in "an error while logging"."""
    with contextlib.suppress(Exception):
        kind, sentence = type_name(error), " ".join(tried(str, error).split())[:MAX_ERROR_CHARS]
        text = f"an error while {doing} ({kind}: {sentence}); the training goes on without it"
        notify_once(("error", doing, kind), text)
