"""LosswiseKerasCallback, for Keras 3 on any of its backends."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping
from typing import Any

try:
    import keras
except ImportError as error:
    if error.name == "keras":
        problem = "LosswiseKerasCallback needs Keras 3: pip install 'losswise[keras]'"
    else:
        problem = f"Keras cannot be imported ({error}): install a backend and name it, as in KERAS_BACKEND=torch"
    raise ImportError(problem, name=error.name) from None

from losswise.arguments import checked_rewind
from losswise.integrations.base import CallbackOptions, Unpack, note_ending, session_options
from losswise.integrations.keras.backup import Backup
from losswise.integrations.keras.fit_watcher import FitWatch, wrap_fit_methods
from losswise.integrations.keras.model import (
    count_samples,
    data_adapter,
    find_fit_frame,
    fit_callbacks,
    learning_rate,
    model_params,
    model_summary,
)
from losswise.integrations.keras.resumption import Resumption
from losswise.lifecycle.outcome import COMPLETE, Outcome, outcome_of
from losswise.session import Session
from losswise.util.guard import guarded
from losswise.util.messages import notify_error
from losswise.util.unreliable import short
from losswise.values.containers import to_dict
from losswise.values.texts import describe_exception

# The outcome if the process exits while `fit` is running, in a thread or in a custom loop
UNFINISHED = Outcome(
    "failed",
    "error",
    {"type": "UnfinishedFit", "message": "fit did not finish before the script did", "traceback": ""},
)


class LosswiseKerasCallback(Resumption, keras.callbacks.Callback):
    """Record `fit`: metrics of batches and epochs, validation, learning rate, speed, progress, and the outcome.

    What Keras reports after a batch is the running mean since the epoch's start, so this is what is drawn. x is the
    number of the batch, counted on over epochs and over a second `fit`. Metrics of an epoch and `val_*` have the x of
    the epoch's last batch.

    A training that keras.callbacks.BackupAndRestore restores continues its session, and what was recorded after the
    backup is removed. So does one with `resume`, at its `initial_epoch`, and points after that are removed.

    Args:
        tag: name of the session.
        params: your own params; they take precedence over those found in the model.
        track_git: record branch, remote, commit and diff of the git repository.
        display_interval: older spelling of `log_freq=N`.
        max_iter: expected number of batches; None: computed from epochs and steps.
        log_freq: 'batch', 'epoch', or N for every Nth batch.
        options: further arguments of `losswise.Session`: project, group, tags, resume, from_x, graphs, ...

    Raises:
        TypeError, ValueError: an argument is wrong.

    Attributes:
        session: the `losswise.Session`, from the start of `fit` on; None before.

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
        **options: Unpack[CallbackOptions],
    ) -> None:
        super().__init__()
        wrap_fit_methods()
        self.session: Session | None = None
        self._options = session_options(tag, params, max_iter, {"track_git": track_git, **options})
        checked_rewind(options.get("resume"), options.get("from_x"))
        self._from_x: int | None = self._options.pop("from_x", None)
        self._every = _batches_between(log_freq, display_interval)
        self._due: float = 0 if self._every < math.inf else math.inf  # x of the next batch that gets a point
        self._is_restart = options.get("resume") is not None  # until x continues that of the earlier run
        self._has_summary = False
        self._x = -1  # of the last batch
        self._logs: Mapping[str, Any] = {}  # the last logs of Keras
        self._logged: tuple[int, Mapping[str, Any]] = (-1, {})  # x and values of the last point
        self._outcome = COMPLETE  # of the last fit
        self._forget_fit()

    def _forget_fit(self) -> None:
        self._in_fit = False
        self._fit_params: dict[str, Any] = {}  # `params` of Keras for this fit: epochs, steps
        self._trained: Any = None  # the model
        self._adapter: Any = None
        self._backup: Backup | None = None
        self._has_terminate_on_nan = False
        self._epochs_seen = 0
        self._saved_x: float = math.inf  # x of the batch that Keras saved last, as long as its mark is not set
        self._fit_start = self._epoch_start = self._x + 1  # x of the first batch
        self._epoch_began = self._batches_ended = 0.0
        self._watch: FitWatch | None = None

    def __getstate__(self) -> dict[str, Any]:
        # A copy continues the same session at the same x. It gets its model with its own fit.
        kept = object.__new__(type(self))
        kept.__dict__.update(self.__dict__)
        kept._forget_fit()
        if self.session is not None:
            kept._options = {**self._options, "resume": self.session.id}
        return {**kept.__dict__, "session": None, "_model": None, "_logs": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        wrap_fit_methods()

    # fit

    @guarded()
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._leave()
        frame = find_fit_frame()
        self._fit_params = self.params or {}
        self.set_params(self._fit_params)
        self._in_fit, self._trained = True, self.model
        self._logs = {}
        self._adapter = data_adapter(frame)
        callbacks = fit_callbacks(frame)
        self._has_terminate_on_nan = any(isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in callbacks)
        self._look_for_backup(callbacks)
        session = self._open()
        self._outcome = UNFINISHED
        session.expect(self._outcome)
        self._watch = FitWatch(self._on_fit_end)

    @guarded()
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if self._epochs_seen == 0:
            self._resume_at(epoch)
            self._set_max_iter(epoch, self._fit_params.get("steps"))
            self._follow()
        self._epoch_start = self._x + 1
        self._note_epoch(epoch)
        self._put_mark()
        self._epoch_began, self._batches_ended = time.perf_counter(), 0.0

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        try:  # as `guarded`, without the cost of its call: this runs at each step
            self._x = x = self._epoch_start + batch
            if x > self._saved_x:
                self._put_mark()
            if logs:
                self._logs = logs
                if x >= self._due and self.session is not None:
                    self.session.log(logs, x)
                    self._logged = (x, logs)
                    if self._every != 1:
                        self._due = x - x % self._every + self._every
        except Exception as error:
            notify_error("running on_train_batch_end", error)

    @guarded()
    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        if self._is_of_fit() and not self._batches_ended:
            self._batches_ended = time.perf_counter()

    @guarded()
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        now = time.perf_counter()
        batches = self._x + 1 - self._epoch_start
        if self._saved_x < math.inf:  # Keras would repeat this epoch
            self._put_mark()
        self._epochs_seen += 1
        self._note_epoch(epoch + 1)
        if batches < 1:  # the data ended with the epoch before
            return
        values = dict(logs or {})
        values.setdefault("learning_rate", learning_rate(self._trained))
        values["epoch_seconds"] = now - self._epoch_began
        values["samples_per_second"] = self._speed(batches, (self._batches_ended or now) - self._epoch_began)
        self._log({name: y for name, y in values.items() if y is not None}, self._x)
        self._logs = {**self._logs, **values}
        if self._epochs_seen == 1 and self._fit_params.get("steps") is None:
            self._set_max_iter(epoch, batches)
        self._describe()

    @guarded()
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        may_be_terminated = self._has_terminate_on_nan and getattr(self.model, "stop_training", False)
        self._leave()
        self._outcome = COMPLETE
        loss: Any = self._logs.get("loss")
        if may_be_terminated and _is_not_finite(loss):  # TerminateOnNaN ends fit without an exception
            message = f"fit was stopped because the loss became {float(loss)} at batch {self._x}"
            self._outcome = Outcome("failed", "error", {"type": "NonFiniteLoss", "message": message, "traceback": ""})
        self._end()

    # evaluate and predict

    @guarded()
    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Record the results of `evaluate`. Those of the validation in `fit` are in the logs of the epoch."""
        if self._is_of_fit() or not logs:
            return
        if self._x < 0 and self._is_restart:
            self._x = self._known_x() - 1
        self._open()
        self._log({f"test_{name}": value for name, value in logs.items()}, max(self._x, 0), is_new=True)
        if self._in_fit:
            self._back_to_fit()
        else:
            self._end()

    @guarded()
    def on_predict_end(self, logs: Mapping[str, Any] | None = None) -> None:
        if self._in_fit:
            self._back_to_fit()

    def _is_of_fit(self) -> bool:
        """Return whether fit itself is running, not an `evaluate` called by a callback, which sets new `params`."""
        return self._in_fit and self.params is self._fit_params

    def _back_to_fit(self) -> None:
        self.set_params(self._fit_params)
        self.set_model(self._trained)

    # the end of fit

    def _leave(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        self._forget_fit()

    @guarded()
    def _on_fit_end(self, error: BaseException | None) -> None:
        """End the session of a `fit` that ended without on_train_end, which Keras does not call when it raises.

        The exception goes on to the script after this, so this does not wait for the network.
        """
        outcome = outcome_of(error)
        self._outcome = outcome._replace(error=describe_exception(outcome.error))
        self._leave()
        if self.session is not None:
            note_ending(self.session.id, self._outcome, self._x + 1)
            self.session.end_without_waiting(self._outcome)

    def _end(self) -> None:
        if self.session is not None:
            note_ending(self.session.id, self._outcome, self._x + 1)
            self.session.done(*self._outcome)

    # what is recorded

    def _open(self) -> Session:
        """Return the session, created if needed, after recording the params of this fit."""
        own = to_dict(self._options["params"])
        found = model_params(self.model, self._fit_params, self._adapter)
        found = {name: value for name, value in found.items() if name not in own}
        if self.session is None:
            self.session = Session(**{**self._options, "params": {**found, **own}})
            self.session.label_axes(self._labels)
        elif self._in_fit:
            self.session.params.update(found)
        self._describe()
        return self.session

    def _describe(self) -> None:
        """Record the model's summary as soon as the model is built."""
        if self.session is None or self._has_summary:
            return
        summary = model_summary(self._trained or self.model)
        if summary:
            self._has_summary = True
            self.session.text("model summary", f"```\n{summary}\n```")

    def _set_max_iter(self, epoch: int, steps: int | None) -> None:
        """Set max_iter, once the number of steps per epoch is known."""
        epochs = self._fit_params.get("epochs")
        if self.session is None or self._options["max_iter"] is not None or not epochs or not steps:
            return
        execution = getattr(self._trained, "steps_per_execution", None) or 1
        self.session.max_iter = self._fit_start + (epochs - epoch) * -(-steps // execution) * execution

    def _speed(self, batches: int, seconds: float) -> float | None:
        samples = count_samples(self._adapter, batches)
        return samples / seconds if samples and seconds > 0 else None

    def _log(self, values: Mapping[str, Any], x: int, is_new: bool = False) -> None:
        """Record those values that have no point at this x yet.

        Args:
            is_new: record all of them.
        """
        at, known = self._logged
        known = known if at == x else {}
        values = {name: y for name, y in values.items() if is_new or name not in known}
        if self.session is not None and values:
            self.session.log(values, x)
            self._logged = (x, {**known, **values})

    def _labels(self, name: str) -> tuple[str, str]:
        return "batch", "running mean of the epoch" if self._every < math.inf and name in self._logs else ""


def _batches_between(log_freq: str | int, display_interval: int | None) -> float:
    """Return the number of batches from one point to the next; infinite: only epochs have points."""
    if log_freq == "epoch":
        return math.inf
    every = (display_interval or 1) if log_freq == "batch" else log_freq
    if not isinstance(every, int) or isinstance(every, bool) or every < 1:
        raise ValueError(f"log_freq must be 'batch', 'epoch' or a number of batches above 0, not {short(log_freq)}")
    return every


def _is_not_finite(loss: Any) -> bool:
    with contextlib.suppress(TypeError, ValueError):
        return not math.isfinite(float(loss))
    return False
