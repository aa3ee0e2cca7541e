"""Short sessions one after another in one process, as in a hyperparameter search or a cross-validation."""

from __future__ import annotations

import sys
import time

from benchmarks.support.measuring import Child, Result, reaching, running_server, say, temporary_folder
from benchmarks.support.report import Row

BAR_S = 20.0
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
    ]


def script(sessions: int) -> Result:
    """So many sessions, each until the server has acknowledged all of it."""
    import losswise

    slowest, begun = 0.0, time.perf_counter()
    for number in range(sessions):
        began = time.perf_counter()
        session = losswise.Session(f"run {number}", STEPS, track_git=False, command_line=False)
        for step in range(STEPS):
            session.log(dict.fromkeys(NAMES, 1 / (1 + step)), step)
        session.done()
        slowest = max(slowest, time.perf_counter() - began)
    return {"seconds": time.perf_counter() - begun, "slowest": slowest}


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("sessions",)))
