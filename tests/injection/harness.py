"""Runs a small training once for each function of the client, with that function broken.

    python harness.py FOLDER JOBS EVERY [NAME ...]

A forked child breaks one function (whatever calls it, it raises), trains, and ends with the script's own status
7. A line of JSON a function goes to stdout: its name, how the child ended, how often the fault struck, stderr.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import json
import os
import pkgutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy
import PIL.Image
import psutil
import requests

import losswise

PRELOADED = (PIL.Image, psutil, requests)
"""Imported once, before the forks: each takes longer than a training here."""

LEFT_OUT = tuple(
    f"losswise.{name}"
    for name in ("demo", "integrations", "libs", "cli", "__main__", "commands", "util.credentials", "util.messages")
)
"""Packages and modules that no training calls, and `util.messages`, which reports the faults. The integrations have a
harness of their own, in their framework."""
ENTRY_POINTS = (
    "losswise.session.Session.__init__",
    "losswise.session.Session.__enter__",
    "losswise.session.Session.graph",
    "losswise.session.Session.image_sequence",
    "losswise.session.Session.log",
    "losswise.graph.Graph.append",
    "losswise.util.guard.guarded",
)
"""A fault in the first line of these reaches the script, since the script calls them unguarded. Everything that they
call is broken in turn."""
# a dozen trainings share the processors, perhaps with other work; one that hangs, hangs for longer
TIMEOUT_S = 240.0


class InjectedFault(Exception):
    """What a broken function raises."""


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """The modules in a package, and what is in them. `pkgutil.walk_packages` would import those left out, too, and with
    them whole frameworks, which make each child slow."""
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if info.name not in LEFT_OUT:
            module = importlib.import_module(info.name)
            yield module
            if info.ispkg:
                yield from modules(module)


def functions() -> dict[str, FunctionType]:
    """Every function and method of the client's core, by its name with its module's."""
    found: dict[str, FunctionType] = {}
    for module in modules(losswise):
        for value in vars(module).values():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            members = vars(value).values() if inspect.isclass(value) else [value]
            for member in members:
                for function in unwrapped(member):
                    if function.__code__.co_filename == module.__file__ and not function.__code__.co_freevars:
                        found[f"{module.__name__}.{function.__qualname__}"] = function
    assert all(name in found for name in ENTRY_POINTS), "an entry point was renamed"
    for name in ENTRY_POINTS:
        del found[name]
    return found


def unwrapped(member: Any) -> list[FunctionType]:
    if isinstance(member, property):
        return [function for function in (member.fget, member.fset) if isinstance(function, FunctionType)]
    member = inspect.unwrap(getattr(member, "__func__", member))
    return [member] if isinstance(member, FunctionType) else []


def broken(*args: Any, **kwargs: Any) -> Any:
    builtins.injected_strikes.append(1)  # type: ignore[attr-defined]
    raise builtins.InjectedFault("injected")  # type: ignore[attr-defined]


def broken_generator(*args: Any, **kwargs: Any) -> Any:
    builtins.injected_strikes.append(1)  # type: ignore[attr-defined]
    raise builtins.InjectedFault("injected")  # type: ignore[attr-defined]
    yield


def break_function(function: FunctionType) -> None:
    """Make a function raise from now on, also for callers that hold a reference to it."""
    code: CodeType = broken_generator.__code__ if inspect.isgeneratorfunction(function) else broken.__code__
    builtins.InjectedFault = InjectedFault  # type: ignore[attr-defined]
    builtins.injected_strikes = []  # type: ignore[attr-defined]
    import __main__

    # the code looks its names up in the module of the function that it stands in for
    function.__globals__.setdefault("builtins", builtins)
    function.__globals__.setdefault("__main__", __main__)
    function.__code__ = code


def train() -> None:
    """What a script does, with a bit of everything."""
    session = losswise.Session(
        "injected", 50, {"rate": 0.1, "nested": {"a": [1]}}, info={"note": "*x*"}, group="g", tags=["t"]
    )
    graph = session.graph("loss", xlabel="step", kind="min")
    thinned = session.graph("thinned", display_interval=2)
    for x in range(50):
        graph.append(x, {"train_loss": 1 / (x + 1), "val_loss": 2.0})
        graph.append(x, {"other": numpy.float32(0.5), "wrong": "text"})
        thinned.append({"a": float("nan")})
        session.log({"train_accuracy": 0.5, "lr": 0.1}, x)
        print("step", x)
    session.set_values({"best": 3})
    session.text("summary", "a *model*", x=1)
    session.params.update(layers=3)
    session.params["late"] = 1
    session.max_iter = 60
    session.image_sequence(1, "images").append(numpy.zeros((4, 4), "uint8"), "a", {"b": 1}, {"c": 0.1})
    session.flush(2.0)
    session.flush(timeout=0.1)
    repr(session), session._repr_html_(), repr(graph)
    session.done()
    graph.append(50, {"train_loss": 0.0})
    with losswise.Session(resume=session.id, from_x=40, system=True) as resumed:
        resumed.log({"train_loss": 0.0})
    child = os.fork()
    if not child:
        graph.append(51, {"child": 1.0})
        os._exit(0)
    os.waitpid(child, 0)
    left = losswise.Session("left to the exit")
    left.graph("loss").append(0, {"a": 1.0})


def run_child(name: str, function: FunctionType, folder: Path) -> None:
    """In the child: break it, train, leave as the script would."""
    errors = os.open(folder / f"{name}.stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(errors, 2)
    os.dup2(nothing, 1)
    os.environ["LW_JOURNAL_DIR"] = str(folder / f"{name}.journals")
    break_function(function)
    strikes = builtins.injected_strikes  # type: ignore[attr-defined]
    train()
    os.write(errors, f"\nSTRIKES {len(strikes)}\n".encode())
    sys.exit(7)


def ended(folder: Path, name: str, status: int | None) -> dict[str, Any]:
    text = (folder / f"{name}.stderr").read_text(errors="replace")
    strikes = text.partition("\nSTRIKES ")[2].split("\n")[0]
    return {"name": name, "status": status, "strikes": int(strikes or -1), "stderr": text}


def main() -> None:
    folder, jobs, every, names = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    known = functions()
    chosen = {name: known[name] for name in (names or sorted(known)[::every])}
    running: dict[int, tuple[str, float]] = {}
    waiting = list(chosen)
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            child = os.fork()
            if not child:
                run_child(name, chosen[name], folder)
            running[child] = (name, time.monotonic())
        time.sleep(0.01)
        for child, (name, begun) in list(running.items()):
            done, status = os.waitpid(child, os.WNOHANG)
            is_late = time.monotonic() - begun > TIMEOUT_S
            if is_late and not done:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            if done or is_late:
                del running[child]
                code = os.waitstatus_to_exitcode(status) if done else None
                print(json.dumps(ended(folder, name, code)), flush=True)


if __name__ == "__main__":
    main()
