"""LosswiseLogger, for Lightning 2 (`lightning.pytorch` or `pytorch_lightning`) and Fabric."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Mapping
from typing import Any

from losswise.integrations.base import LoggerOptions, Unpack, note_ending, session_options
from losswise.integrations.lightning.media import to_images, to_markdown
from losswise.integrations.lightning.model import describe_model, to_params
from losswise.integrations.lightning.packages import (
    BaseLogger,
    DummyExperiment,
    rank_zero_experiment,
    rank_zero_only,
    register_logger,
)
from losswise.integrations.lightning.prefix import prefixed
from losswise.integrations.lightning.session_choice import SessionChoice
from losswise.integrations.lightning.trainer import (
    checkpoint_values,
    current_step,
    decides_status,
    find_setup,
    has_loaded_data,
    is_unrecorded,
    outcome_of_run,
    steps_done,
    total_steps,
)
from losswise.lifecycle.outcome import COMPLETE, Outcome
from losswise.session import Session
from losswise.util.guard import guarded
from losswise.util.messages import notify_error
from losswise.values.containers import to_dict


class LosswiseLogger(SessionChoice, BaseLogger):
    """Record what a Trainer logs: metrics, hyperparameters, the model's summary, progress and the outcome.

    x is Lightning's global step, and the epoch is a metric of its own. The session is created on first use, by the
    process with rank zero. It ends with `fit`; a later `fit`, `test` or `validate` continues it. So does a script that
    is started again with `ckpt_path` and the same arguments: what was recorded after the checkpoint is removed. If the
    session had gone on from the checkpoint and is complete, it stays, and the training has a session of its own.

    Args:
        tag: name of the session.
        params: your own params; they take precedence over the model's hyperparameters.
        prefix: put in front of every name: 'fold1' turns 'loss' into 'fold1/loss'.
        save_dir: folder in which the Trainer puts checkpoints; None: its default_root_dir.
        resume: id of a session to continue.
        max_iter: expected number of optimizer steps; None: taken from the Trainer.
        options: further arguments of `losswise.Session`: track_git, project, group, tags, graphs, ...

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
        **options: Unpack[LoggerOptions],
    ) -> None:
        checked = session_options(tag, params, max_iter, {"resume": resume, **options})
        super().__init__({**checked, "graphs": prefixed(options.get("graphs"), prefix)}, prefix)
        register_logger(LosswiseLogger)
        self._prefix = prefix
        self._save_dir = os.fspath(save_dir) if save_dir is not None else None
        self._epoch: tuple[int | None, Any] | None = None  # x and value of the epoch logged last
        self._asks_total = False
        self._saved: dict[str, Any] = {}
        _loggers.add(self)

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The `losswise.Session`, created on first use. On ranks other than zero, Lightning's dummy that does nothing.

        Example:
            >>> self.logger.experiment.set_values({"note": "as in the paper"})  # in a LightningModule
        """
        try:
            setup = find_setup()
            if setup is not None:
                self._set_up(*setup)
                if self._session is None and is_unrecorded(setup.trainer):
                    return None
            return self._session or self._create_session()
        except Exception as error:
            notify_error("starting a session", error)
            return DummyExperiment()

    @property
    def name(self) -> str:
        """The tag, in a form that can name a folder."""
        tag = self._options["tag"] or (self._session.tag if self._session is not None else None)
        return re.sub(r"[^\w.-]+", "-", tag or "").strip("-.") or "losswise"

    @property
    def save_dir(self) -> str | None:
        """Folder in which the Trainer puts checkpoints; None: its default_root_dir."""
        return self._save_dir

    @property
    def root_dir(self) -> str | None:
        """Folder of all sessions with this tag; None: in the Trainer's default_root_dir."""
        return os.path.join(self._save_dir, self.name) if self._save_dir is not None else None

    @property
    def log_dir(self) -> str | None:
        """Folder of the session, in which a ModelCheckpoint creates 'checkpoints'; None: as for `root_dir`."""
        root, version = self.root_dir, self.version
        return os.path.join(root, version) if root is not None and version is not None else None

    @property
    def group_separator(self) -> str:
        """Separator that Lightning puts between the parts of a name."""
        return "/"

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Record metrics. Lightning calls this for `self.log`.

        Args:
            metrics: values by name: numbers or tensors of one element.
            step: the x; None: one more than the last.
        """
        try:  # as the decorators of the other methods, without the cost of their calls: this runs at each step
            if getattr(rank_zero_only, "rank", 0):
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
            notify_error("running log_metrics", error)

    def _with_epoch_once(self, metrics: Mapping[str, Any], step: int | None) -> Mapping[str, Any]:
        """Drop the epoch if it is recorded for this step: Lightning adds it to every group of metrics of a step."""
        at = (step, metrics["epoch"])
        if self._epoch != at or step is None:
            self._epoch = at
            return metrics
        return {name: y for name, y in metrics.items() if name != "epoch"}

    @rank_zero_only
    @guarded()
    def log_hyperparams(
        self, params: Any = None, metrics: Mapping[str, Any] | None = None, *args: Any, **more: Any
    ) -> None:
        """Add params to the session.

        Args:
            params: a dictionary, Namespace, dataclass or a mapping of OmegaConf. Values that JSON lacks become text.
            metrics: cells of the session table by name, such as the best value of an earlier run.
            more: params by name.
        """
        if self._is_unrecorded():
            return
        self._add_params({**to_params(params), **to_params(more)})
        if metrics:
            self.experiment.set_values(metrics)

    def _add_params(self, found: Mapping[str, Any]) -> None:
        own = to_dict(self._options["params"])
        self.experiment.params.update({name: value for name, value in found.items() if name not in own})

    @rank_zero_only
    @guarded()
    def log_graph(self, model: Any, input_array: Any = None) -> None:
        """Record the model's summary. Lightning calls this when it starts to fit, test or validate."""
        trainer = getattr(model, "_trainer", None)
        if trainer is not None:
            self._trainer = weakref.ref(trainer)
        if self._is_unrecorded():
            return
        self._asks_total = trainer is not None
        summary, parameters, trainable = describe_model(model)
        self.experiment.text("model summary", summary)
        self._add_params({"parameters": parameters, "trainable_parameters": trainable, "model": type(model).__name__})

    @rank_zero_only
    @guarded()
    def log_image(self, key: str, images: Any, step: int | None = None, caption: Any = None, **lists: Any) -> None:
        """Record images of a step. The arguments are those of Lightning's WandbLogger.

        Args:
            key: name of the image sequence, the same at each step.
            images: a list of images as `losswise.ImageSequence.append` takes them (arrays, tensors, Pillow images,
                paths), a batch with four dimensions, or one image.
            step: the x that they belong to; None: that of metrics logged now.
            caption: a list with one text per image.
            lists: `outputs` and `metrics`, each a list with one dictionary per image.

        Example:
            >>> self.logger.log_image("validation", [images[0], images[1]], caption=["a cat", "a dog"])
        """
        sequence = self.experiment.image_sequence(self._step() if step is None else step, self._prefixed(key))
        for image in to_images(key, images, {"caption": caption, **lists}):
            sequence.append(*image)

    @rank_zero_only
    @guarded()
    def log_text(
        self, key: str, text: Any = None, data: Any = None, dataframe: Any = None, step: int | None = None, **more: Any
    ) -> None:
        """Record a text (markdown) or a table, as with Lightning's WandbLogger. Replaces that of the same key and step.

        Args:
            key: name of the text.
            text: the text; or, with `data`, the names of the columns.
            data: rows of a table.
            dataframe: a pandas data frame, instead of `data`.
            step: the x that it belongs to; None: the whole session.
            more: `columns`, the names of the columns.

        Example:
            >>> self.logger.log_text("answers", columns=["question", "answer"], data=[["2 + 2", "4"]], step=100)
        """
        self.experiment.text(self._prefixed(key), to_markdown(text, more.get("columns"), data, dataframe), step)

    def save(self) -> None:
        """Do nothing: the session has threads of its own that write. Lightning calls this at each step."""

    @rank_zero_only
    @guarded()
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Record the best score and the path of its checkpoint as cells of the session table."""
        values = checkpoint_values(checkpoint_callback)
        if values.items() - self._saved.items():
            self._saved.update(values)
            self.experiment.set_values(values)

    @rank_zero_only
    @guarded()
    def finalize(self, status: str) -> None:
        """End the session. Lightning calls this at the end of fit, test, validate and predict.

        Args:
            status: 'success', 'finished', 'interrupted' or 'failed'.
        """
        session, trainer = self._session, self._running()
        self._is_set_up = False
        if session is None:
            return
        ended = outcome_of_run(status)
        outcome: Outcome | None = ended
        if decides_status(trainer):
            self._outcome = ended
            note_ending(session.id, ended, steps_done(trainer))
        elif is_unrecorded(trainer) or (self._outcome or COMPLETE) != COMPLETE:
            outcome = self._outcome  # a test after a fit that failed, or `predict`, does not change how the fit ended
        if outcome is not None:
            session.done(*outcome)
            session.follow(None)

    def _running(self) -> Any:
        """Return the Trainer between its setup and `finalize`; None at other times."""
        return self._trainer() if self._is_set_up and self._trainer is not None else None

    def _start_over(self) -> None:
        """Forget what is recorded so far: of another session, or of one that is rewound."""
        self._epoch, self._saved = None, {}

    def _is_unrecorded(self) -> bool:
        """Return whether the Trainer is doing something that is not recorded, see `trainer.is_unrecorded`."""
        return (trainer := self._running()) is not None and is_unrecorded(trainer)

    def _step(self) -> int:
        trainer = self._trainer() if self._trainer is not None else None
        return current_step(trainer) if trainer is not None else self.experiment.last_x

    def _prefixed(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @guarded("asking for the number of steps")
    def _learn_total(self, session: Session) -> None:
        """Take max_iter from the Trainer as soon as its data is loaded."""
        trainer = self._trainer() if self._trainer is not None else None
        if trainer is None or self._options["max_iter"] is not None:
            self._asks_total = False
        elif has_loaded_data(trainer):
            self._asks_total = False
            total = total_steps(trainer)
            if total is not None:
                session.max_iter = total

    def __getstate__(self) -> dict[str, Any]:
        self.decide_id()
        return {**self.__dict__, **dict.fromkeys(("_session", "_trainer", "_outcome", "_asks_total", "_is_set_up"))}


_loggers: weakref.WeakSet[LosswiseLogger] = weakref.WeakSet()


def _decide_ids_before_fork() -> None:
    for logger in list(_loggers):
        logger.decide_id()


register_logger(LosswiseLogger)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_decide_ids_before_fork)
