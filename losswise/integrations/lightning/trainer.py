"""What a Trainer of Lightning is doing when it touches a logger: Lightning tells loggers nothing of it.

A logger is given neither the Trainer nor the checkpoint that it starts from. Both are read off the stack, at the
one place where a Trainer first asks each logger for its experiment. Where a later Lightning does that elsewhere,
nothing is found, and a logger works as by hand.
"""

from __future__ import annotations

import math
import sys
from types import FrameType
from typing import Any, NamedTuple

from losswise.lifecycle.outcome import COMPLETE, INTERRUPTED, Outcome
from losswise.values.errors import describe_exception


class Setup(NamedTuple):
    """A run of a Trainer that begins.

    Attributes:
        trainer: the Trainer.
        ckpt_path: the checkpoint that it starts from, or None.
    """

    trainer: Any
    ckpt_path: Any


def setup_under_way() -> Setup | None:
    """The run for whose setup Lightning itself, and nobody else, reads the property `experiment` now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name == "experiment":
        frame = frame.f_back
    if frame is None or frame.f_code.co_name != "_call_setup_hook":
        return None
    trainer = frame.f_locals.get("trainer")
    while frame is not None:
        if frame.f_code.co_name == "_run" and frame.f_locals.get("self") is trainer:
            return Setup(trainer, frame.f_locals.get("ckpt_path"))
        frame = frame.f_back
    return Setup(trainer, None) if trainer is not None else None


def launch_under_way(logger: Any) -> Setup | None:
    """The run for which a Trainer with this logger starts processes now; what they do, this one is to know."""
    frame: FrameType | None = sys._getframe(1)
    trainer: Any = None
    while frame is not None:
        if frame.f_code.co_name == "launch":
            candidate = frame.f_locals.get("trainer")
            trainer = candidate if any(one is logger for one in getattr(candidate, "loggers", ())) else None
        elif trainer is not None and frame.f_locals.get("self") is trainer and "ckpt_path" in frame.f_locals:
            return Setup(trainer, frame.f_locals["ckpt_path"])
        frame = frame.f_back
    return Setup(trainer, None) if trainer is not None else None


def is_idle(trainer: Any) -> bool:
    """Whether this run records nothing: a prediction, or a search for a learning rate or a batch size."""
    searches = any(getattr(callback, "_early_exit", False) for callback in trainer.callbacks)
    return searches or trainer.state.fn == "predict"


def is_testing(trainer: Any) -> bool:
    """Whether this run is a test or a validation of its own, not that of a fit."""
    return trainer.state.fn in ("test", "validate")


def decides(trainer: Any) -> bool:
    """Whether this run is what a session's status is about: a fit. None, where a script ends it by hand, is so, too."""
    return trainer is None or not (is_idle(trainer) or is_testing(trainer))


def ending_of_run(status: str) -> Outcome:
    """What Lightning's status, and the error that it is just handling, say of how a run ended."""
    error = sys.exc_info()[1]
    is_signal = isinstance(error, KeyboardInterrupt) or type(error).__name__ == "SIGTERMException"
    if status in ("success", "finished"):
        return COMPLETE
    if status == "interrupted" or is_signal:
        return INTERRUPTED
    return Outcome("failed", "error", describe_exception(error))


def total_of_steps(trainer: Any) -> int | None:
    """How many x a fit will have; None where nobody can know."""
    total = trainer.estimated_stepping_batches
    if not math.isfinite(total) or total <= 0:
        return None
    if total == trainer.max_steps and not trainer.lightning_module.automatic_optimization:
        total = math.ceil(total / max(1, len(trainer.optimizers)))  # max_steps counts those of each optimizer
    return int(total)


def is_fitting(trainer: Any) -> bool:
    """Whether a fit is so far that its total of steps can be asked for without loading its data too early."""
    return (
        (trainer.training or trainer.validating) and trainer.state.fn == "fit" and trainer.train_dataloader is not None
    )


def checkpoint_values(callback: Any) -> dict[str, Any]:
    """What a ModelCheckpoint has as the best, score and path, by the name of what it monitors; or its only path."""
    monitor, path = callback.monitor, callback.best_model_path or getattr(callback, "last_model_path", "")
    if not path:
        return {}
    if not monitor:
        return {"checkpoint": str(path)}
    score = {} if callback.best_model_score is None else {f"best {monitor}": float(callback.best_model_score)}
    return {**score, f"best {monitor} checkpoint": str(path)}


def step_of(trainer: Any) -> int:
    """The x that Lightning gives to what is logged now."""
    return int(trainer.fit_loop.epoch_loop._batches_that_stepped)
