"""The session in Lightning's checkpoints: a script that is restarted with `ckpt_path` goes on in it.

Each checkpoint of a Trainer carries the ids of its loggers' sessions. A logger reads them before the Trainer
restores anything, since the session's id is part of the path of the next checkpoints. Only the small part of the
file that describes it is read, and nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, NamedTuple

from losswise.protocol.records import is_id
from losswise.util.guard import guarded
from losswise.values.jsonable import dumps, snapshot

KEY = "losswise_sessions"
"""Where a checkpoint has them: a list of {'id': ..., 'logger': ...}."""
_TELLING = ("tag", "params", "project", "group", "tags")
_NEEDED = ("on_save_checkpoint", "on_load_checkpoint")


class Checkpoint(NamedTuple):
    """What a checkpoint tells.

    Attributes:
        sessions: ids of the sessions, and what their loggers were, in the order of the loggers.
        next_x: the step at which a fit goes on; None where it does not tell.
    """

    sessions: list[dict[str, str]]
    next_x: int | None


def mark_of(options: Mapping[str, Any], prefix: str) -> str:
    """A short text that is the same for loggers with the same arguments."""
    told = [{name: options.get(name) for name in _TELLING}, prefix]
    return hashlib.sha256(dumps(snapshot(told)).encode()).hexdigest()[:16]


@guarded("reading a checkpoint")
def read_checkpoint(path: Any) -> Checkpoint | None:
    """What the checkpoint at a path, or at an address that Lightning can load, tells of sessions.

    Returns:
        None where there is no path, or no checkpoint of Lightning, or one that keeps its description elsewhere.
    """
    if not path:
        return None
    filesystem, place = import_module("fsspec.core").url_to_fs(str(path))
    if filesystem.isdir(place):
        place = f"{place}/meta.pt"  # what a sharded one keeps beside the shards
    if not filesystem.exists(place):
        return None  # Lightning says so itself
    with filesystem.open(place, "rb") as file:
        if not zipfile.is_zipfile(file):
            return None
        with zipfile.ZipFile(file) as parts:
            names = [name for name in parts.namelist() if name.rpartition("/")[2] == "data.pkl"]
            if not names:
                return None
            with parts.open(names[0]) as described:
                found = _Reader(described).load()
    if not isinstance(found, dict):
        return None
    sessions = found.get(KEY)
    known = [one for one in sessions if _is_session(one)] if isinstance(sessions, list) else []
    return Checkpoint(known, _next_x(found))


def _is_session(one: Any) -> bool:
    return isinstance(one, dict) and is_id(one.get("id")) and isinstance(one.get("logger"), str)


def _next_x(checkpoint: dict[str, Any]) -> int | None:
    """The next step: that of the optimizer, or where there are several the next batch, which is what x counts then."""
    step = checkpoint.get("global_step")
    try:
        loop = checkpoint["loops"]["fit_loop"]
        stepped = loop["epoch_loop.state_dict"]["_batches_that_stepped"]
        batches = loop["epoch_loop.batch_progress"]["total"]["processed"]
    except (KeyError, TypeError):
        return step if type(step) is int else None
    # one that is written in the middle of a step does not count it there yet
    return int(step) if step in (stepped, stepped + 1) else int(batches)


class _Unread:
    """Stands for whatever a checkpoint has beside plain values."""

    def __new__(cls, *args: Any, **options: Any) -> _Unread:
        return object.__new__(cls)

    def __init__(self, *args: Any, **options: Any) -> None: ...

    def _ignore(self, *args: Any) -> None: ...

    __setstate__ = __setitem__ = append = extend = add = update = _ignore

    def __call__(self, *args: Any, **options: Any) -> _Unread:
        return self


class _Reader(pickle.Unpickler):
    """Reads plain values only: no tensor, and no code of anybody's."""

    def find_class(self, module: str, name: str) -> Any:
        return OrderedDict if (module, name) == ("collections", "OrderedDict") else _Unread

    def persistent_load(self, identity: Any) -> Any:
        return None


def carry(trainer: Any) -> None:
    """Have each checkpoint of this Trainer carry its loggers' sessions."""
    package = type(trainer).__module__.partition(".trainer")[0]
    for base in type(trainer).__mro__:  # a Trainer of the person's own is in another package
        if base.__name__ == "Trainer" and ".trainer" in base.__module__:
            package = base.__module__.partition(".trainer")[0]
    if not any(isinstance(callback, _carrier_class(package)) for callback in trainer.callbacks):
        trainer.callbacks.insert(0, _carrier(package))


def _carrier(package: str) -> Any:
    return _carrier_class(package)()


@lru_cache(maxsize=4)
def _carrier_class(package: str) -> type:
    """A Callback of that package of Lightning's. Of its hooks only that of a saved checkpoint costs anything."""
    callback = import_module(f"{package}.callbacks").Callback
    hooks = {name: None for name in dir(callback) if name.startswith("on_") and name not in _NEEDED}
    own = {"on_save_checkpoint": _on_save_checkpoint, "__reduce__": lambda self: (_carrier, (package,))}
    return type("LosswiseSessionInCheckpoint", (callback,), {**hooks, **own, "__module__": __name__})


def _on_save_checkpoint(callback: Any, trainer: Any, module: Any, checkpoint: dict[str, Any]) -> None:
    _put_sessions(trainer, checkpoint)


@guarded("keeping the session's id in a checkpoint")
def _put_sessions(trainer: Any, checkpoint: dict[str, Any]) -> None:
    described = [(logger.version, logger.mark) for logger in trainer.loggers if is_ours(logger)]
    sessions = [{"id": version, "logger": mark} for version, mark in described if version]
    if sessions:
        checkpoint[KEY] = sessions


def is_ours(logger: Any) -> bool:
    return any(base.__name__ == "LosswiseLogger" for base in type(logger).__mro__)


def session_of(logger: Any, trainer: Any, checkpoint: Checkpoint | None) -> str | None:
    """The id of the session that a logger with the same arguments had; of several, that of the same place."""
    if checkpoint is None:
        return None
    alike = [one for one in trainer.loggers if is_ours(one) and one.mark == logger.mark]
    ids = [one["id"] for one in checkpoint.sessions if one["logger"] == logger.mark]
    place = next((number for number, one in enumerate(alike) if one is logger), 0)
    return ids[place] if place < len(ids) else None
