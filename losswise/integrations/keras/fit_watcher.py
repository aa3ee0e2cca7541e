"""Report how a call of `fit` ended: Keras calls no hook of a callback when `fit` raises.

`fit` is wrapped, once per model class. The wrapper runs on the thread that trains and sees the exception itself, also
one that the script catches: Ctrl-C, sys.exit, an error in the data. It changes neither arguments, result nor exception.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras

from losswise.util.guard import guarded

Listener = Callable[["BaseException | None"], None]

_running = threading.local()  # `calls`: the listeners of each `fit` running in this thread, the innermost last
_MARK = "_losswise_reports_end"


class FitWatch:
    """Wait for the end of the `fit` that is running in this thread.

    Args:
        on_end: called once, on the same thread, with the exception that `fit` raised, or None if it returned. Where
            no wrapped `fit` is running (a custom loop drives the callbacks), it is never called.

    Example:
        >>> watch = FitWatch(lambda error: print("fit ended by", error))  # in on_train_begin
        >>> watch.stop()  # in on_train_end
    """

    def __init__(self, on_end: Listener) -> None:
        calls: list[list[FitWatch]] = getattr(_running, "calls", [])
        self._call = calls[-1] if calls else []
        self._call.append(self)
        self.on_end = on_end

    def stop(self) -> None:
        """Stop waiting: `on_end` is not called from now on."""
        if self in self._call:
            self._call.remove(self)


@guarded("wrapping fit")
def wrap_fit_methods() -> None:
    """Wrap `keras.Model.fit`, and the `fit` of every model class known by now that overrides it.

    An override usually calls `super().fit`, but it may as well be a loop of its own.
    """
    for model_class in _with_subclasses(keras.Model):
        if not hasattr(model_class.fit, _MARK):
            model_class.fit = _wrapped(model_class.fit)


def _with_subclasses(model_class: Any) -> Iterator[Any]:
    yield model_class  # before its subclasses, which then inherit the wrapped method
    for subclass in model_class.__subclasses__():
        yield from _with_subclasses(subclass)


def _wrapped(fit: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fit)
    def losswise_fit(*args: Any, **kwargs: Any) -> Any:
        # a call of a global, since cloudpickle copies this function together with a model class of __main__, and
        # threading.local cannot be pickled
        return run_watched(fit, args, kwargs)

    setattr(losswise_fit, _MARK, True)
    return losswise_fit


def run_watched(fit: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call `fit`, then tell the watches that started in it how it ended."""
    calls: list[list[FitWatch]] = _running.__dict__.setdefault("calls", [])
    depth, watches = len(calls), list[FitWatch]()
    calls.append(watches)
    error: BaseException | None = None
    try:
        return fit(*args, **kwargs)
    except BaseException as raised:
        error = raised
        raise
    finally:
        del calls[depth:]
        _report(watches, error)
        del error  # else exception and frame would refer to each other


@guarded("noting the end of fit")
def _report(watches: list[FitWatch], error: BaseException | None) -> None:
    for watch in list(watches):
        watch.stop()
        watch.on_end(error)
