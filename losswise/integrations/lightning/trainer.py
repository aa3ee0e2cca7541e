"""Find out what Lightning's Trainer is doing when it uses a logger.

Lightning gives a logger neither the Trainer nor the path of the checkpoint that training resumes from, and the session
has to be chosen before the first call that would tell. So both are read from the stack, in the one function of
Lightning that first asks every logger for its experiment. If another version of Lightning does that elsewhere, nothing
is found, and the logger works as in a script without a Trainer.
"""

from __future__ import annotations

import math
import sys
from types import FrameType
from typing import Any, NamedTuple

from losswise.lifecycle.outcome import COMPLETE, INTERRUPTED, Outcome
from losswise.util.guard import guarded
from losswise.values.texts import describe_exception


class Run(NamedTuple):
    """A run that a Trainer starts: fit, validate, test or predict.

    Attributes:
        trainer: the Trainer.
        ckpt_path: path of the checkpoint that it loads, or None.
    """

    trainer: Any
    ckpt_path: Any


def find_setup() -> Run | None:
    """Return the run that a Trainer is setting up, if the caller is a property `experiment` read for that.

    None: it is read by a script or a callback.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name == "experiment":
        frame = frame.f_back
    if frame is None or frame.f_code.co_name != "_call_setup_hook":
        return None
    trainer = frame.f_locals.get("trainer")
    while frame is not None:
        if frame.f_code.co_name == "_run" and frame.f_locals.get("self") is trainer:
            return Run(trainer, frame.f_locals.get("ckpt_path"))
        frame = frame.f_back
    return Run(trainer, None) if trainer is not None else None


def find_launch(logger: Any) -> Run | None:
    """Return the run for which a Trainer with this logger is starting worker processes; None if it is not."""
    frame: FrameType | None = sys._getframe(1)
    trainer: Any = None
    while frame is not None:
        if frame.f_code.co_name == "launch":
            candidate = frame.f_locals.get("trainer")
            trainer = candidate if any(one is logger for one in getattr(candidate, "loggers", ())) else None
        elif trainer is not None and frame.f_locals.get("self") is trainer and "ckpt_path" in frame.f_locals:
            return Run(trainer, frame.f_locals["ckpt_path"])
        frame = frame.f_back
    return Run(trainer, None) if trainer is not None else None


def is_unrecorded(trainer: Any) -> bool:
    """Return whether nothing of this run is recorded: a prediction, a search for a learning rate or batch size."""
    searches = any(getattr(callback, "_early_exit", False) for callback in trainer.callbacks)
    return searches or trainer.state.fn == "predict"


def is_testing(trainer: Any) -> bool:
    """Return whether this run is a test, or a validation that is not part of a fit."""
    return trainer.state.fn in ("test", "validate")


def decides_status(trainer: Any) -> bool:
    """Return whether this run's outcome is the session's: that of a fit, or, for None, what a script reports itself."""
    return trainer is None or not (is_unrecorded(trainer) or is_testing(trainer))


def outcome_of_run(status: str) -> Outcome:
    """Return the outcome of a run.

    Args:
        status: as Lightning passes it to `finalize`: 'success', 'finished', 'interrupted' or 'failed'. The exception
            is not passed, but it is being handled at that time.
    """
    error = sys.exc_info()[1]
    is_signal = isinstance(error, KeyboardInterrupt) or type(error).__name__ == "SIGTERMException"
    if status in ("success", "finished"):
        return COMPLETE
    if status == "interrupted" or is_signal:
        return INTERRUPTED
    return Outcome("failed", "error", describe_exception(error))


def total_steps(trainer: Any) -> int | None:
    """Return how many x values a fit will have; None if that is unknown or unlimited."""
    total = trainer.estimated_stepping_batches
    if not math.isfinite(total) or total <= 0:
        return None
    if total == trainer.max_steps and not trainer.lightning_module.automatic_optimization:
        total = math.ceil(total / max(1, len(trainer.optimizers)))  # max_steps counts those of each optimizer
    return int(total)


def has_loaded_data(trainer: Any) -> bool:
    """Return whether a fit has loaded its data. Before that, asking for its total of steps would load it too early."""
    return (
        (trainer.training or trainer.validating) and trainer.state.fn == "fit" and trainer.train_dataloader is not None
    )


@guarded("counting steps")
def steps_done(trainer: Any) -> int | None:
    """Return how many steps a fit has done; None if none is running."""
    if trainer is None or trainer.state.fn != "fit" or not (trainer.training or trainer.validating):
        return None
    return int(trainer.fit_loop.epoch_loop._batches_that_stepped)


def is_in_step(trainer: Any) -> bool:
    """Return whether a fit is in the middle of a step, which a training that resumes from here does again."""
    progress = trainer.fit_loop.epoch_loop.batch_progress.current
    return int(progress.ready) > int(progress.processed)


def checkpoint_values(callback: Any) -> dict[str, Any]:
    """Return the cells of the session table for a ModelCheckpoint.

    Returns:
        The best score and the path of its checkpoint, under the name of the monitored metric; only `checkpoint`, the
        path, if nothing is monitored; nothing before the first checkpoint.
    """
    monitor, path = callback.monitor, callback.best_model_path or getattr(callback, "last_model_path", "")
    if not path:
        return {}
    if not monitor:
        return {"checkpoint": str(path)}
    score = {} if callback.best_model_score is None else {f"best {monitor}": float(callback.best_model_score)}
    return {**score, f"best {monitor} checkpoint": str(path)}


def current_step(trainer: Any) -> int:
    """Return the x that Lightning gives to metrics logged now."""
    return int(trainer.fit_loop.epoch_loop._batches_that_stepped)
