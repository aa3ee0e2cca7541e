"""Lightning 2.x, as `pytorch_lightning` and as `lightning.pytorch`: LosswiseLogger."""

from __future__ import annotations

import math
import re
import sys
import weakref
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from losswise.guard import guarded
from losswise.integrations.shared import session_options
from losswise.messages import say_error
from losswise.placing import label_axes
from losswise.session import Session

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def _logger_classes() -> tuple[type, ...]:
    """Lightning's Logger, of the package that the script uses; of both where it uses both.

    Raises:
        ImportError: neither is installed.
    """
    used = [package for package in _PACKAGES if sys.modules.get(package) is not None]
    if not used:
        used = [package for package in _PACKAGES if _is_importable(package)][:1]
    if not used:
        raise ImportError("LosswiseLogger needs Lightning 2: pip install 'losswise[lightning]'", name="lightning")
    return tuple(import_module(f"{package}.loggers.logger").Logger for package in used)


def _is_importable(package: str) -> bool:
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name not in ("lightning", package):
            raise
        return False
    return True


_LOGGERS = _logger_classes()
# Lightning's two packages share this function, and it knows the rank of this process
_rank_zero: Any = import_module("lightning_utilities.core.rank_zero").rank_zero_only
_fabric: Any = import_module(_LOGGERS[0].__mro__[1].__module__)


class LosswiseLogger(*_LOGGERS):  # type: ignore[misc]
    """Watch a Trainer: what the model logs, its hyperparameters and summary, progress, and how it ended.

    x is Lightning's global step; the epoch is kept as a quantity beside the others. The session is made on
    first use, by the process of rank zero. Its status is sent when `fit` ends; a later `fit`, `test` or
    `validate` goes on in the same session.

    Args:
        tag: what the session is called.
        params: your own params; they win over the model's hyperparameters.
        prefix: stands in front of every name: 'fold1' makes 'fold1/loss' of 'loss'.
        save_dir: where the Trainer puts checkpoints; else its default_root_dir.
        resume: id of a session to go on with.
        max_iter: number of optimizer steps expected; else the trainer's own total.
        options: what `losswise.Session` takes besides: track_git, project, group, tags, graphs, ...

    Raises:
        TypeError, ValueError: an argument is wrong.

    Example:
        >>> trainer = Trainer(max_epochs=5, logger=LosswiseLogger("small net"))
        >>> trainer.fit(model, data)
    """

    LOGGER_JOIN_CHAR = "/"

    def __init__(
        self,
        tag: str | None = None,
        params: Mapping[str, Any] | None = None,
        prefix: str = "",
        save_dir: str | None = None,
        resume: str | None = None,
        max_iter: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self._options = session_options(tag, params, max_iter, {"resume": resume, **options})
        self._prefix = prefix
        self._save_dir = save_dir
        self._session: Session | None = None
        self._epoch: tuple[int | None, Any] | None = None  # x and value as last logged
        self._trainer: weakref.ref[Any] | None = None  # whose total of steps is to be read

    @property
    @_fabric.rank_zero_experiment
    def experiment(self) -> Session:
        """The losswise.Session, made on first use. Other ranks than zero get Lightning's dummy."""
        if self._session is None:
            self._session = Session(**self._options)
            label_axes(self._session, lambda name: ("step", ""))
            self._options["resume"] = self._session.id  # a copy in another process goes on with it
        return self._session

    @property
    def name(self) -> str:
        """The tag, as the name of a folder."""
        tag = self._options["tag"] or (self._session.tag if self._session is not None else None)
        return re.sub(r"[^\w.-]+", "-", tag or "").strip("-.") or "losswise"

    @property
    def version(self) -> str | None:
        """The session's id; None while there is no session."""
        return self._session.id if self._session is not None else self._options["resume"]

    @property
    def save_dir(self) -> str | None:
        """Where the Trainer puts checkpoints; None: its default_root_dir."""
        return self._save_dir

    @property
    def group_separator(self) -> str:
        """What Lightning puts between the parts of a name."""
        return "/"

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log values at a step; left out, one more than the last."""
        try:  # what the decorators of the others do, without their calls: this runs at each step
            if getattr(_rank_zero, "rank", 0):
                return
            session = self._session or self.experiment
            if self._trainer is not None:
                self._learn_total(session)
            if "epoch" in metrics:
                metrics = self._with_epoch_once(metrics, step)
            if self._prefix:
                metrics = {f"{self._prefix}/{name}": y for name, y in metrics.items()}
            session.log(metrics, step)
        except Exception as error:
            say_error("running log_metrics", error)

    def _with_epoch_once(self, metrics: Mapping[str, Any], step: int | None) -> Mapping[str, Any]:
        """Lightning logs the epoch beside each group of metrics, so twice or more at one step."""
        at = (step, metrics["epoch"])
        if self._epoch != at or step is None:
            self._epoch = at
            return metrics
        return {name: y for name, y in metrics.items() if name != "epoch"}

    @_rank_zero
    @guarded()
    def log_hyperparams(self, params: Any, metrics: Mapping[str, Any] | None = None) -> None:
        """Add a dictionary or Namespace to the session's params, and metrics to its values."""
        found = dict(params) if isinstance(params, Mapping) else dict(vars(params))
        own = self._options["params"] or {}
        self.experiment.params.update({name: value for name, value in found.items() if name not in own})
        if metrics:
            self.experiment.set_values(metrics)

    @_rank_zero
    @guarded()
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Keep the model's summary. Lightning calls this when it begins to fit, test or validate."""
        trainer = getattr(model, "_trainer", None)
        self._trainer = weakref.ref(trainer) if trainer is not None else None
        summary, parameters, trainable = _described(model)
        self.experiment.text("model summary", summary)
        own = self._options["params"] or {}
        found = {"parameters": parameters, "trainable_parameters": trainable, "model": type(model).__name__}
        self.experiment.params.update({name: value for name, value in found.items() if name not in own})

    @_rank_zero
    @guarded()
    def finalize(self, status: str) -> None:
        """Send how it ended. Lightning calls this at the end of fit, test, validate and predict."""
        session = self._session
        if session is None:
            return
        error = sys.exc_info()[1]  # Lightning calls this while it handles what ended the training
        if status in ("success", "finished"):
            session.done()
        elif status == "interrupted" or isinstance(error, KeyboardInterrupt):
            session.done("cancelled", "interrupted")
        else:
            session.done("failed", "error", error)

    def _learn_total(self, session: Session) -> None:
        """Take max_iter from the trainer, once its data is there: asking sooner would load it too early."""
        trainer = self._trainer() if self._trainer is not None else None
        if trainer is None or self._options["max_iter"] is not None:
            return
        if not trainer.training and not trainer.validating:
            return
        if trainer.state.fn != "fit" or trainer.train_dataloader is None:
            return
        self._trainer = None
        total = trainer.estimated_stepping_batches
        if math.isfinite(total) and total > 0:
            session.max_iter = int(total)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None, "_trainer": None}


def _described(model: Any) -> tuple[str, int, int]:
    """A table of the model's parts as markdown, and the numbers of its parameters, all and trainable."""

    def count(parameters: Any) -> tuple[int, int]:
        sizes = [(_size(parameter), parameter.requires_grad) for parameter in parameters]
        return sum(size for size, _ in sizes), sum(size for size, is_trained in sizes if is_trained)

    lines = ["| part | type | parameters |", "|---|---|---:|"]
    for name, part in model.named_children():
        lines.append(f"| {name} | {type(part).__name__} | {count(part.parameters())[0]:,} |")
    parameters, trainable = count(model.parameters())
    lines.append(f"| **all** | {type(model).__name__} | {parameters:,} ({trainable:,} trainable) |")
    return "\n".join(lines), parameters, trainable


def _size(parameter: Any) -> int:
    try:
        return int(parameter.numel())
    except (RuntimeError, ValueError):  # a lazy layer that has seen no data
        return 0
