"""Short sessions one after another in one process, as in a hyperparameter search or a cross-validation.

Afterwards nothing of them is left: what the process has more than after its first session is measured as well.
"""

from __future__ import annotations

import gc
import sys
import threading
import time

from benchmarks.support.measuring import Child, Result, reaching, running_server, say, temporary_folder
from benchmarks.support.process_metrics import open_files, resident_memory
from benchmarks.support.report import Row

BAR_S = 20.0
MEMORY_BAR_MIB = 5
SESSIONS = 1_000
STEPS = 20
NAMES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "learning_rate")


def run(quick: bool) -> list[Row]:
    sessions, repeats = (100, 1) if quick else (SESSIONS, 3)
    results = []
    for number in range(repeats):
        say(f"sessions: {number + 1} of {repeats}")
        with (
            running_server() as server,
            temporary_folder() as folder,
            Child("benchmarks.sessions:script", folder, **reaching(server)) as script,
        ):
            results.append(script.call(sessions=sessions))
    seconds = [result["seconds"] * SESSIONS / sessions for result in results]
    slowest = [result["slowest"] * 1e3 for result in results]
    return [
        Row(
            f"{SESSIONS:,} sessions of {STEPS} steps, `done()` each",
            "s",
            seconds,
            bar=f"≤ {BAR_S:.0f} s",
            met=min(seconds) <= BAR_S,
        ),
        Row("the slowest of them", "ms", slowest),
        _left("files and sockets left", "", [result["files"] for result in results], 0),
        _left("threads left", "", [result["threads"] for result in results], 0),
        _left("memory left", "MiB", [result["memory"] / 2**20 for result in results], MEMORY_BAR_MIB),
    ]


def _left(what: str, unit: str, ours: list[float], bar: int) -> Row:
    return Row(what, unit, ours, bar=f"≤ {bar} {unit}".rstrip(), met=max(ours) <= bar)


def script(sessions: int) -> Result:
    """So many sessions, each until the server has acknowledged all of it, after one that is not measured."""
    _train(0)
    before = _held()
    slowest, begun = 0.0, time.perf_counter()
    for number in range(1, sessions + 1):
        began = time.perf_counter()
        _train(number)
        slowest = max(slowest, time.perf_counter() - began)
    seconds = time.perf_counter() - begun
    left = {name: value - before[name] for name, value in _held().items()}
    return {"seconds": seconds, "slowest": slowest, **left}


def _train(number: int) -> None:
    import losswise

    session = losswise.Session(f"run {number}", STEPS, track_git=False, command_line=False)
    for step in range(STEPS):
        session.log(dict.fromkeys(NAMES, 1 / (1 + step)), step)
    session.done()


def _held() -> dict[str, float]:
    """What the process has: open files and sockets, threads, bytes of memory."""
    gc.collect()
    return {"files": open_files(), "threads": threading.active_count(), "memory": resident_memory()}


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("sessions",)))
