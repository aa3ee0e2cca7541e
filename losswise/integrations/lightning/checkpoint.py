"""Keep the session's id in Lightning's checkpoints, so that a script restarted with `ckpt_path` continues its session.

Each checkpoint of a Trainer contains the ids of the sessions of its loggers. A logger reads them before the Trainer
restores anything, since the session's id is part of the path of the next checkpoints.

It also contains each session's next mark (`Session.next_mark`). Lightning logs metrics of a step, and runs its
validation, after it has saved the checkpoint of that step, and will not do so again. So the mark is set when the next
step begins, or at once in the middle of a step.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, NamedTuple

from losswise.integrations.lightning.trainer import is_in_step, is_unrecorded
from losswise.protocol.records import is_id
from losswise.util.guard import guarded
from losswise.values.jsonable import dumps, snapshot

KEY = "losswise_sessions"
"""The key in a checkpoint of the list of {'id': session id, 'logger': fingerprint, 'kept', 't': its `Mark`}."""

_FINGERPRINT_OPTIONS = ("tag", "params", "project", "group", "tags")
_HOOKS = ("on_save_checkpoint", "on_load_checkpoint")
_NEXT_STEP_HOOKS = ("on_train_epoch_start", "on_train_batch_start")


class Checkpoint(NamedTuple):
    """The part of a checkpoint that is about sessions.

    Attributes:
        sessions: id, logger's fingerprint and mark of each session, in the order of the loggers.
        next_x: the step at which a fit continues; None if unknown.
    """

    sessions: list[dict[str, Any]]
    next_x: int | None


def fingerprint_of(options: Mapping[str, Any], prefix: str) -> str:
    """Return a short text that is the same for two loggers with the same arguments."""
    compared = [{name: options.get(name) for name in _FINGERPRINT_OPTIONS}, prefix]
    return hashlib.sha256(dumps(snapshot(compared)).encode()).hexdigest()[:16]


@guarded("reading a checkpoint")
def read_checkpoint(path: Any) -> Checkpoint | None:
    """Read what a checkpoint says about sessions: only its small metadata part, without executing code of it.

    Args:
        path: path or URL, as Lightning takes it, or None.

    Returns:
        None if there is no file, or if it is not a checkpoint in the format of `torch.save`.
    """
    if not path:
        return None
    filesystem, file_path = import_module("fsspec.core").url_to_fs(str(path))
    if filesystem.isdir(file_path):
        file_path = f"{file_path}/meta.pt"  # beside the shards of a sharded checkpoint
    if not filesystem.exists(file_path):
        return None  # Lightning reports that itself
    with filesystem.open(file_path, "rb") as file:
        if not zipfile.is_zipfile(file):
            return None
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name.rpartition("/")[2] == "data.pkl"]
            if not names:
                return None
            with archive.open(names[0]) as data:
                found = _SafeUnpickler(data).load()
    if not isinstance(found, dict):
        return None
    sessions = found.get(KEY)
    known = [one for one in sessions if _is_session(one)] if isinstance(sessions, list) else []
    return Checkpoint(known, _next_x(found))


def _is_session(one: Any) -> bool:
    return isinstance(one, dict) and is_id(one.get("id")) and isinstance(one.get("logger"), str)


def _next_x(checkpoint: dict[str, Any]) -> int | None:
    """Return the next step. With several optimizers x counts batches, as Lightning does for its loggers."""
    step = checkpoint.get("global_step")
    try:
        loop = checkpoint["loops"]["fit_loop"]
        stepped = loop["epoch_loop.state_dict"]["_batches_that_stepped"]
        batches = loop["epoch_loop.batch_progress"]["total"]["processed"]
    except (KeyError, TypeError):
        return step if type(step) is int else None
    # a checkpoint written during a step does not count that step in `stepped` yet
    return int(step) if step in (stepped, stepped + 1) else int(batches)


class _Placeholder:
    """The replacement of an object in a checkpoint that is not a plain value."""

    def __new__(cls, *args: Any, **options: Any) -> _Placeholder:
        return object.__new__(cls)

    def __init__(self, *args: Any, **options: Any) -> None: ...

    def _ignore(self, *args: Any) -> None: ...

    __setstate__ = __setitem__ = append = extend = add = update = _ignore

    def __call__(self, *args: Any, **options: Any) -> _Placeholder:
        return self


class _SafeUnpickler(pickle.Unpickler):
    """Read plain values only.

    A pickle may name any class or function to be called. Here each of them is a placeholder, so that nothing of a
    checkpoint from an untrusted source is executed by us, before the user has decided how to load it. Tensors
    (persistent ids) are not loaded at all: a checkpoint may be larger than memory.
    """

    def find_class(self, module: str, name: str) -> Any:
        return OrderedDict if (module, name) == ("collections", "OrderedDict") else _Placeholder

    def persistent_load(self, identity: Any) -> Any:
        return None


def watch_trainer(trainer: Any) -> None:
    """Have every checkpoint of this Trainer contain the sessions of its loggers, and its progress told to them.

    Both through a callback.
    """
    package = type(trainer).__module__.partition(".trainer")[0]
    for base in type(trainer).__mro__:  # a subclass of Trainer is in a module of the user's
        if base.__name__ == "Trainer" and ".trainer" in base.__module__:
            package = base.__module__.partition(".trainer")[0]
    callback = next((one for one in trainer.callbacks if isinstance(one, _callback_class(package))), None)
    if callback is None:
        callback = _make_callback(package)
        trainer.callbacks.insert(0, callback)
    _await_next_step(callback)


def _make_callback(package: str) -> Any:
    return _callback_class(package)()


@lru_cache(maxsize=4)
def _callback_class(package: str) -> type:
    """Return a subclass of that package's Callback. All hooks but two are None, which Lightning does not call."""
    callback = import_module(f"{package}.callbacks").Callback
    hooks = {name: None for name in dir(callback) if name.startswith("on_") and name not in _HOOKS}
    own = {"on_save_checkpoint": _on_save_checkpoint, "__reduce__": lambda self: (_make_callback, (package,))}
    return type("LosswiseSessionInCheckpoint", (callback,), {**hooks, **own, "__module__": __name__})


@guarded("keeping the session's id in a checkpoint")
def _on_save_checkpoint(callback: Any, trainer: Any, module: Any, checkpoint: dict[str, Any]) -> None:
    _add_sessions(trainer, checkpoint)
    _await_next_step(callback)
    if is_in_step(trainer):
        _on_next_step(callback, trainer)


def _add_sessions(trainer: Any, checkpoint: dict[str, Any]) -> None:
    sessions = []
    for logger in trainer.loggers:
        if _is_ours(logger) and logger.version:
            mark = logger.session.next_mark() if logger.session is not None else None
            sessions.append({"id": logger.version, "logger": logger.fingerprint, **(mark.plain() if mark else {})})
    if sessions:
        checkpoint[KEY] = sessions


def _await_next_step(callback: Any) -> None:
    """Have Lightning call the callback at the start of the next step, which costs nothing in the steps after it."""
    for hook in _NEXT_STEP_HOOKS:
        setattr(callback, hook, partial(_on_next_step, callback))


@guarded("starting a step")
def _on_next_step(callback: Any, trainer: Any, *args: Any) -> None:
    if is_unrecorded(trainer):
        return  # a search within a fit, whose own steps come later
    for hook in _NEXT_STEP_HOOKS:
        setattr(callback, hook, None)
    for logger in trainer.loggers:
        if _is_ours(logger):
            logger.note_next_step(trainer)


def _is_ours(logger: Any) -> bool:
    return any(base.__name__ == "LosswiseLogger" for base in type(logger).__mro__)


def find_session(logger: Any, trainer: Any, checkpoint: Checkpoint | None) -> Mapping[str, Any] | None:
    """Return the session in a checkpoint whose logger had the same arguments; None if there is none.

    If several loggers have the same arguments, their order decides.
    """
    if checkpoint is None:
        return None
    alike = [one for one in trainer.loggers if _is_ours(one) and one.fingerprint == logger.fingerprint]
    found = [one for one in checkpoint.sessions if one["logger"] == logger.fingerprint]
    index = next((number for number, one in enumerate(alike) if one is logger), 0)
    return found[index] if index < len(found) else None
