"""Keep errors of losswise from the script: each is one warning, and the script goes on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from losswise.util.messages import notify_error

P = ParamSpec("P")
R = TypeVar("R")


def guarded(doing: str = "", default: Any = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator: an exception in the function is reported once, and the call returns `default`.

    Args:
        doing: the activity, as in "an error while logging"; default the function's name.
        default: returned in case of an exception.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                notify_error(doing or f"running {function.__qualname__}", error)
                return default

        return run

    return decorate


def guarded_thread(run: Callable[..., None], name: str, *args: Any) -> threading.Thread:
    """Return a daemon thread, not started yet. An exception ends it with one warning."""
    return threading.Thread(target=guarded(f"running the thread {name}")(run), args=args, name=name, daemon=True)
