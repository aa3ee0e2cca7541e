"""Lightning 2.x, as `pytorch_lightning` and as `lightning.pytorch`, and Fabric: LosswiseLogger."""

from __future__ import annotations

import os
import re
import sys
import weakref
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from losswise.integrations.base import ending_at_server, session_options
from losswise.integrations.lightning.checkpoint import carry, mark_of, read_checkpoint, session_of
from losswise.integrations.lightning.media import images_of, text_of
from losswise.integrations.lightning.model import described, plain_params
from losswise.integrations.lightning.trainer import (
    checkpoint_values,
    decides,
    ending_of_run,
    is_fitting,
    is_idle,
    is_testing,
    launch_under_way,
    setup_under_way,
    step_of,
    total_of_steps,
)
from losswise.lifecycle.outcome import COMPLETE, Outcome
from losswise.naming import prefixed
from losswise.protocol.records import new_id
from losswise.session import Session
from losswise.util.guard import guarded
from losswise.util.messages import say_error

_PACKAGES = ("lightning.pytorch", "pytorch_lightning", "lightning.fabric", "lightning_fabric")


def _logger_class() -> type:
    """Lightning's Logger, of the package that the script uses.

    Raises:
        ImportError: none is installed.
    """
    used = [package for package in _PACKAGES if sys.modules.get(package) is not None]
    package = next(iter(used), None) or next((package for package in _PACKAGES if _is_importable(package)), None)
    if package is None:
        raise ImportError("LosswiseLogger needs Lightning 2: pip install 'losswise[lightning]'", name="lightning")
    logger: type = import_module(f"{package}.loggers.logger").Logger
    return logger


def _is_importable(package: str) -> bool:
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name not in ("lightning", package):
            raise
        return False
    return True


_Logger: Any = _logger_class()
# Lightning's packages share this function, and it knows the rank of this process
_rank_zero: Any = import_module("lightning_utilities.core.rank_zero").rank_zero_only
_fabric: Any = import_module(
    "lightning.fabric.loggers.logger"
    if _Logger.__module__.startswith("lightning.")
    else "lightning_fabric.loggers.logger"
)


class LosswiseLogger(_Logger):
    """Watch a Trainer: what the model logs, its hyperparameters and summary, progress, and how it ended.

    x is Lightning's global step; the epoch is kept as a quantity beside the others. The session is made on
    first use, by the process of rank zero. Its status is sent when `fit` ends; a later `fit`, `test` or
    `validate` goes on in the same session. So does a script that is started again with `ckpt_path` and the
    same arguments here: what came after the checkpoint is taken back.

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
        save_dir: str | os.PathLike[str] | None = None,
        resume: str | None = None,
        max_iter: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        _register()
        self._options = session_options(tag, params, max_iter, {"resume": resume, **options})
        self._options["graphs"] = prefixed(options.get("graphs"), prefix)
        self._prefix = prefix
        self._save_dir = os.fspath(save_dir) if save_dir is not None else None
        self.mark = mark_of(self._options, prefix)
        self._id: str | None = None  # of a session that is to be made
        self._session: Session | None = None
        self._epoch: tuple[int | None, Any] | None = None  # x and value as last logged
        self._trainer: weakref.ref[Any] | None = None
        self._asks_total = self._is_set_up = False
        self._saved: dict[str, Any] = {}
        self._ending: Outcome | None = None  # of the last fit, here or elsewhere
        _loggers.add(self)

    @property
    @_fabric.rank_zero_experiment
    def experiment(self) -> Any:
        """The losswise.Session, made on first use. Other ranks than zero get Lightning's dummy."""
        try:
            setup = setup_under_way()
            if setup is not None:
                self._set_up(*setup)
                if self._session is None and is_idle(setup.trainer):
                    return None
            return self._session or self._begun()
        except Exception as error:
            say_error("starting a session", error)
            return _fabric._DummyExperiment()

    def _begun(self) -> Session:
        options = self._options
        session = _Settled(self._id, options) if self._id and not options["resume"] else Session(**options)
        self._session, options["resume"] = session, session.id  # a copy in another process goes on with it
        options.pop("from_x", None)
        session.label_axes(lambda name: ("step", ""))
        return session

    @guarded("setting up with Lightning's trainer")
    def _set_up(self, trainer: Any, ckpt_path: Any) -> None:
        """A run begins: know its trainer, and with a checkpoint go on with the session that it is of."""
        if self._is_set_up and self._trainer is not None and self._trainer() is trainer:
            return
        self._is_set_up, self._trainer = True, weakref.ref(trainer)
        carry(trainer)
        checkpoint: Any = read_checkpoint(ckpt_path)
        found = session_of(self, trainer, checkpoint)
        if self._session is None and not self._options["resume"]:
            self._options["resume"], self._id = found, self._id or new_id()
        if self._session is None and self._options["resume"] and is_testing(trainer):
            self._ending = ending_at_server(self._options)
        is_of_it = checkpoint is not None and (found == self.version or not checkpoint.sessions)
        if is_of_it and checkpoint.next_x is not None and trainer.state.fn == "fit":
            self._rewind(checkpoint.next_x)

    def _rewind(self, x: int) -> None:
        self._epoch = None
        if self._session is not None:
            self._session.rewind(x)
        elif self._options["resume"]:
            self._options.setdefault("from_x", x)

    @guarded("settling a session's id")
    def _settle(self) -> None:
        """Where a Trainer starts its processes now: know the id of the session that one of them makes."""
        launch = launch_under_way(self) if self.version is None else None
        if launch is not None:
            found = session_of(self, launch.trainer, read_checkpoint(launch.ckpt_path))
            self._options["resume"], self._id = found, new_id()

    @property
    def name(self) -> str:
        """The tag, as the name of a folder."""
        tag = self._options["tag"] or (self._session.tag if self._session is not None else None)
        return re.sub(r"[^\w.-]+", "-", tag or "").strip("-.") or "losswise"

    @property
    def version(self) -> str | None:
        """The session's id; None while there is no session."""
        return self._session.id if self._session is not None else self._options["resume"] or self._id

    @property
    def save_dir(self) -> str | None:
        """Where the Trainer puts checkpoints; None: its default_root_dir."""
        return self._save_dir

    @property
    def root_dir(self) -> str | None:
        """The folder of all sessions with this tag; None: in the Trainer's default_root_dir."""
        return os.path.join(self._save_dir, self.name) if self._save_dir is not None else None

    @property
    def log_dir(self) -> str | None:
        """The session's own folder, in which a ModelCheckpoint makes 'checkpoints'."""
        root, version = self.root_dir, self.version
        return os.path.join(root, version) if root is not None and version is not None else None

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
            if self._asks_total:
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
    def log_hyperparams(
        self, params: Any = None, metrics: Mapping[str, Any] | None = None, *args: Any, **more: Any
    ) -> None:
        """Add to the session's params, and metrics to its values.

        Args:
            params: a dictionary, Namespace, dataclass or OmegaConf's; in it anything, which becomes plain.
            metrics: cells of the session table by name, such as the best value of an earlier run.
            more: params by name.
        """
        if self._is_idle():
            return
        self._add_params({**plain_params(params), **plain_params(more)})
        if metrics:
            self.experiment.set_values(metrics)

    def _add_params(self, found: Mapping[str, Any]) -> None:
        own = self._options["params"] or {}
        self.experiment.params.update({name: value for name, value in found.items() if name not in own})

    @_rank_zero
    @guarded()
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Keep the model's summary. Lightning calls this when it begins to fit, test or validate."""
        trainer = getattr(model, "_trainer", None)
        if trainer is not None:
            self._trainer = weakref.ref(trainer)
        if self._is_idle():
            return
        self._asks_total = trainer is not None
        summary, parameters, trainable = described(model)
        self.experiment.text("model summary", summary)
        self._add_params({"parameters": parameters, "trainable_parameters": trainable, "model": type(model).__name__})

    @_rank_zero
    @guarded()
    def log_image(self, key: str, images: Any, step: int | None = None, caption: Any = None, **lists: Any) -> None:
        """Keep images of a step, in the shape of Lightning's WandbLogger.

        Args:
            key: what the sequence is called; the images at its other steps have the same key.
            images: a list of what `losswise.ImageSequence.append` takes: arrays, tensors, Pillow images, paths.
                A batch of four dimensions will do, too.
            step: the x that they belong to; left out, that of what is logged now.
            caption: a text an image.
            lists: `outputs` and `metrics`: a dictionary an image.

        Example:
            >>> self.logger.log_image("validation", [images[0], images[1]], caption=["a cat", "a dog"])
        """
        sequence = self.experiment.image_sequence(self._step() if step is None else step, self._prefixed(key))
        for image in images_of(key, images, {"caption": caption, **lists}):
            sequence.append(*image)

    @_rank_zero
    @guarded()
    def log_text(
        self, key: str, text: Any = None, data: Any = None, dataframe: Any = None, step: int | None = None, **more: Any
    ) -> None:
        """Keep a text (markdown), or a table as in Lightning's WandbLogger; the same key and step replaces it.

        Args:
            key: what it is called.
            text: the text; or with `data` the names of the columns.
            data: rows of a table.
            dataframe: a data frame of pandas instead.
            step: the x that it belongs to; left out, the whole session.
            more: `columns`, which may also be given as `text`.

        Example:
            >>> self.logger.log_text("answers", columns=["question", "answer"], data=[["2 + 2", "4"]], step=100)
        """
        self.experiment.text(self._prefixed(key), text_of(text, more.get("columns"), data, dataframe), step)

    def save(self) -> None:
        """Nothing to do: the session's own threads write and send. Lightning calls this at each step."""

    @_rank_zero
    @guarded()
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Keep the best score and its checkpoint in the session's values, by the name of what is monitored."""
        values = checkpoint_values(checkpoint_callback)
        if values.items() - self._saved.items():
            self._saved.update(values)
            self.experiment.set_values(values)

    @_rank_zero
    @guarded()
    def finalize(self, status: str) -> None:
        """Send how it ended. Lightning calls this at the end of fit, test, validate and predict."""
        session, trainer = self._session, self._running()
        self._is_set_up = False
        if session is None:
            return
        ending: Outcome | None = ending_of_run(status)
        if decides(trainer):
            self._ending = ending
        elif is_idle(trainer) or (self._ending or COMPLETE) != COMPLETE:
            ending = self._ending
        if ending is not None:  # a session that has ended already, as before `predict`, stays as it is
            session.done(*ending)

    def _running(self) -> Any:
        """The Trainer, from its setup until it tells how it ended; None at other times."""
        return self._trainer() if self._is_set_up and self._trainer is not None else None

    def _is_idle(self) -> bool:
        """Whether what the Trainer does now is no part of a session."""
        return (trainer := self._running()) is not None and is_idle(trainer)

    def _step(self) -> int:
        trainer = self._trainer() if self._trainer is not None else None
        return step_of(trainer) if trainer is not None else self.experiment.last_x

    def _prefixed(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @guarded("asking for the number of steps")
    def _learn_total(self, session: Session) -> None:
        """Take max_iter from the trainer, once its data is there: asking sooner would load it too early."""
        trainer = self._trainer() if self._trainer is not None else None
        if trainer is None or self._options["max_iter"] is not None:
            self._asks_total = False
        elif is_fitting(trainer):
            self._asks_total = False
            total = total_of_steps(trainer)
            if total is not None:
                session.max_iter = total

    def __getstate__(self) -> dict[str, Any]:
        self._settle()
        return {**self.__dict__, **dict.fromkeys(("_session", "_trainer", "_ending", "_asks_total", "_is_set_up"))}


class _Settled(Session):
    """A new session with an id that was settled before."""

    def __init__(self, id_: str, options: Mapping[str, Any]) -> None:
        self.id = id_
        super().__init__(**options)


_loggers: weakref.WeakSet[LosswiseLogger] = weakref.WeakSet()


def _settle_before_fork() -> None:
    for logger in list(_loggers):
        logger._settle()


def _register() -> None:
    """Be a Logger for each of Lightning's packages: a script may use several, and load them late."""
    for package in _PACKAGES:
        logger: Any = getattr(sys.modules.get(f"{package}.loggers.logger"), "Logger", None)
        if logger is not None and not issubclass(LosswiseLogger, logger):
            logger.register(LosswiseLogger)


_register()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_settle_before_fork)
