"""Keras 3, on any of its backends: LosswiseKerasCallback."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import Any

try:
    import keras
except ImportError as error:
    if error.name == "keras":
        problem = "LosswiseKerasCallback needs Keras 3: pip install 'losswise[keras]'"
    else:
        problem = f"Keras cannot be imported ({error}): install a backend and name it, as in KERAS_BACKEND=torch"
    raise ImportError(problem, name=error.name) from None

from losswise.guard import guarded
from losswise.integrations.callwatch import CallWatch
from losswise.integrations.shared import session_options
from losswise.messages import say_error
from losswise.placing import label_axes
from losswise.session import Session

LEFT = {"type": "", "message": "fit was left by an exception that the script caught", "traceback": ""}


class LosswiseKerasCallback(keras.callbacks.Callback):
    """Watch `fit`: every batch's and epoch's metrics, validation, learning rate, progress, and how it ended.

    What Keras reports for a batch is its running mean since the epoch's start, and that is what is drawn.
    x is the number of the batch, counted on over epochs and over a second `fit`. Epoch metrics and `val_*`
    stand at the x of the epoch's last batch.

    Args:
        tag: what the session is called.
        params: your own params; they win over those that are found in the model.
        track_git: record branch, remote, commit and diff of the git repository around.
        display_interval: the older spelling of log_freq=N.
        max_iter: number of batches expected; else worked out from epochs and steps.
        log_freq: 'batch', 'epoch', or N for every Nth batch.
        options: what `losswise.Session` takes besides: project, group, tags, resume, graphs, ...

    Raises:
        TypeError, ValueError: an argument is wrong.

    Attributes:
        session: the losswise.Session, from the start of `fit` on; None before.

    Example:
        >>> model.fit(x, y, validation_split=0.2, epochs=5, callbacks=[LosswiseKerasCallback("small net")])
    """

    def __init__(
        self,
        tag: str | None = None,
        params: Mapping[str, Any] | None = None,
        track_git: bool = True,
        display_interval: int | None = None,
        max_iter: int | None = None,
        log_freq: str | int = "batch",
        **options: Any,
    ) -> None:
        super().__init__()
        self.session: Session | None = None
        self._options = session_options(tag, params, max_iter, {"track_git": track_git, **options})
        self._every = _batches_between(log_freq, display_interval)
        self._x = -1  # of the last batch
        self._logs: Mapping[str, Any] = {}  # the last that came
        self._logged: tuple[int, Mapping[str, Any]] = (-1, {})
        self._in_fit = False
        self._epochs_seen = 0  # of this fit
        self._fit_start = self._epoch_start = 0  # x of the first batch
        self._epoch_began = 0.0
        self._watch: CallWatch | None = None

    # fit

    @guarded()
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._leave()
        frame = _frame_of_fit()
        session = self._open(frame)
        self._in_fit, self._epochs_seen, self._logs = True, 0, {}
        self._fit_start = self._x + 1
        # Keras calls no hook when fit raises. So says a thread that looks at the stack; and, where the script
        # ends before that, the process's exit
        session.expect("failed", "error", LEFT)
        if frame is not None:
            self._watch = CallWatch(frame, self._on_left)

    @guarded()
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch_began = time.perf_counter()
        self._epoch_start = self._x + 1
        if self._epochs_seen == 0:
            self._expect(epoch, (self.params or {}).get("steps"))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        try:  # what `guarded` does, without its call: this runs at each step
            self._x = x = self._epoch_start + batch
            if logs:
                self._logs = logs
                if self._every and x % self._every == 0 and self.session is not None:
                    self.session.log(logs, x)
                    self._logged = (x, logs)
        except Exception as error:
            say_error("running on_train_batch_end", error)

    @guarded()
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        x = max(self._x, 0)
        values = dict(logs or {})
        values.setdefault("learning_rate", self._learning_rate())
        values["epoch_seconds"] = time.perf_counter() - self._epoch_began
        at, known = self._logged
        self._log({name: y for name, y in values.items() if y is not None and (at != x or name not in known)}, x)
        self._logs = {**self._logs, **values}
        if self._epochs_seen == 0 and (self.params or {}).get("steps") is None:
            self._expect(epoch, self._x + 1 - self._epoch_start)
        self._epochs_seen += 1

    @guarded()
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        self._leave()
        if self.session is None:
            return
        loss: Any = self._logs.get("loss")
        if getattr(self.model, "stop_training", False) and _is_broken(loss):
            # keras.callbacks.TerminateOnNaN ends fit as if all were well
            message = f"fit was stopped because the loss became {float(loss)} at batch {self._x}"
            error = {"type": "NonFiniteLoss", "message": message, "traceback": ""}
            self.session.done("failed", "error", error)
        else:
            self.session.done()

    @guarded()
    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """The end of `evaluate`; inside of fit, its results come with the epoch's."""
        if self._in_fit or not logs:
            return
        session = self._open(None)
        self._log({f"test_{name}": value for name, value in logs.items()}, max(self._x, 0))
        session.done()

    # how fit is left

    def _leave(self) -> None:
        self._in_fit = False
        if self._watch is not None:
            self._watch.stop()
            self._watch = None

    @guarded()
    def _on_left(self, error: BaseException | None) -> None:
        """fit is no longer on the stack, and on_train_end was not called: it raised."""
        session = self.session
        self._leave()
        if session is None:
            return
        if isinstance(error, KeyboardInterrupt):
            session.done("cancelled", "interrupted")
        else:
            session.done("failed", "error", error or LEFT)

    # what is sent

    def _open(self, fit: FrameType | None) -> Session:
        """The session, with the params of this fit."""
        own = self._options["params"] or {}
        found = {name: value for name, value in self._found(fit).items() if name not in own}
        if self.session is None:
            self.session = Session(**{**self._options, "params": {**found, **own}})
            label_axes(self.session, self._labels)
            summary = _summary(self.model)
            if summary:
                self.session.text("model summary", f"```\n{summary}\n```")
        elif fit is not None:
            self.session.params.update(found)
        return self.session

    def _found(self, fit: FrameType | None) -> dict[str, Any]:
        """Params that the model and the running fit tell."""
        model = self.model
        told = (self.params or {}) if fit is not None else {}
        adapter = getattr(fit.f_locals.get("epoch_iterator"), "data_adapter", None) if fit is not None else None
        optimizer = getattr(model, "optimizer", None)
        built = getattr(model, "built", False)
        trainable = getattr(model, "trainable_weights", ()) if built else ()
        found = {
            "model": getattr(model, "name", None),
            "optimizer": type(optimizer).__name__ if optimizer is not None else None,
            "optimizer_config": optimizer.get_config() if optimizer is not None else None,
            "loss": _named(getattr(model, "loss", None)),
            "parameters": model.count_params() if built else None,
            "trainable_parameters": sum(math.prod(weight.shape) for weight in trainable) if built else None,
            "batch_size": getattr(adapter, "batch_size", None),
            "epochs": told.get("epochs"),
            "steps_per_epoch": told.get("steps"),
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
        }
        return {name: value for name, value in found.items() if value is not None}

    def _expect(self, epoch: int, steps: int | None) -> None:
        """Tell how many batches there will be, once the steps of an epoch are known."""
        epochs = (self.params or {}).get("epochs")
        if self.session is None or self._options["max_iter"] is not None or not epochs or not steps:
            return
        self.session.max_iter = self._fit_start + (epochs - epoch) * steps

    def _log(self, values: Mapping[str, Any], x: int) -> None:
        if self.session is not None and values:
            self.session.log(values, x)
            self._logged = (x, values)

    def _labels(self, name: str) -> tuple[str, str]:
        by_batch = self._every and not name.startswith(("val_", "test_", "epoch_", "learning_rate"))
        return "batch", "running mean of the epoch" if by_batch else ""

    def _learning_rate(self) -> float | None:
        rate = getattr(getattr(self.model, "optimizer", None), "learning_rate", None)
        return None if rate is None else float(keras.ops.convert_to_numpy(rate))


def _batches_between(log_freq: str | int, display_interval: int | None) -> int | None:
    """Every how many batches a point is wanted; None: at the end of an epoch only."""
    if log_freq == "epoch":
        return None
    every = (display_interval or 1) if log_freq == "batch" else log_freq
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        raise ValueError(f"log_freq is 'batch', 'epoch' or a number of batches above 0, not {log_freq!r}")
    return every


def _frame_of_fit() -> FrameType | None:
    """The frame of the `fit` that is calling: it knows what Keras does not tell its callbacks."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "fit" and isinstance(frame.f_locals.get("self"), keras.Model):
            return frame
        frame = frame.f_back
    return None


def _is_broken(loss: Any) -> bool:
    with contextlib.suppress(TypeError, ValueError):
        return not math.isfinite(float(loss))
    return False


def _named(loss: Any) -> Any:
    """The loss as a person calls it: its name, or the names of several."""
    if loss is None or isinstance(loss, str):
        return loss
    if isinstance(loss, Mapping):
        return {name: _named(part) for name, part in loss.items()}
    if isinstance(loss, (list, tuple)):
        return [_named(part) for part in loss]
    return getattr(loss, "name", None) or getattr(loss, "__name__", None) or type(loss).__name__


def _summary(model: Any) -> str:
    lines: list[str] = []
    if getattr(model, "built", False):
        model.summary(print_fn=lambda line, **_: lines.append(str(line)), line_length=100)
    return "\n".join(lines).strip()
