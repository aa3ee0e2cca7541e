"""A training whose server is down from its start to its end, and `losswise sync` afterwards.

A step is a fixed amount of work, about a millisecond, half of it with the interpreter's lock released; a step
that waited until a time would hide what the client takes. Both trainings have a process that stays, and they
take turns of some thousand steps, so what the machine does meanwhile meets both; the session is one.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.support.measuring import (
    DISABLED,
    ROOT,
    Child,
    column,
    differences,
    environ_without_server,
    interleaved,
    reaching,
    running_server,
    temporary_folder,
)
from benchmarks.support.process_metrics import StepClock, peak_memory, units_of, work
from benchmarks.support.report import Row

BAR = 1.05
MEMORY_BAR = 64
MIB = 1024 * 1024
STEP = 0.001


def run(quick: bool) -> list[Row]:
    steps, turns = (1_000, 5) if quick else (5_000, 20)
    units = units_of(STEP)
    environ = environ_without_server()
    with temporary_folder() as folder:
        down = Child("benchmarks.outage:train", folder / "down", **environ)
        off = Child("benchmarks.outage:train", folder / "off", **environ, **DISABLED)
        with down, off:
            for child in (down, off):
                child.call(steps=0, units=units)
            cases = {
                "server down": lambda: down.call(steps=steps, units=units),
                "disabled": lambda: off.call(steps=steps, units=units),
            }
            found = interleaved("outage", cases, turns)
            session = found["server down"][-1]
            down.close(60.0)
        sync = _sync(down, session, steps * turns)
    ours, base = found["server down"], found["disabled"]
    seconds, plain = column(ours, "mean", steps / 1e6), column(base, "mean", steps / 1e6)
    added = differences(column(ours, "peak", 1 / MIB), column(base, "peak", 1 / MIB))
    ratio = median(seconds) / median(plain)
    by_turn = [mine / other for mine, other in zip(seconds, plain, strict=True)]
    many = f"{steps:,} steps"
    return [
        Row(many, "s", seconds, "disabled", plain, f"ratio ≤ {BAR}", ratio <= BAR, {"ratio of each turn": by_turn}),
        Row(
            f"{many}, processor",
            "s",
            column(ours, "processor", steps / 1e6),
            "disabled",
            column(base, "processor", steps / 1e6),
        ),
        Row("the median step", "µs", column(ours, "median"), "disabled", column(base, "median")),
        Row(
            "peak memory over disabled",
            "MiB",
            added[-1:],
            "peak when disabled",
            column(base, "peak", 1 / MIB)[-1:],
            f"≤ {MEMORY_BAR} MiB",
            added[-1] <= MEMORY_BAR,
        ),
        sync,
    ]


def _sync(child: Child, session: dict[str, Any], points: int) -> Row:
    """Start a server, send the journal to it, and count what it has."""
    with running_server() as server:
        environ = {**child.environ, **reaching(server)}
        words = [sys.executable, "-m", "losswise", "sync"]
        started = time.perf_counter()
        done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise RuntimeError(f"losswise sync ended with {done.returncode}: {done.stderr[-1000:]}")
        series = server.points(session["graph"])
    stored = sorted(series["train_loss"]["x"])
    is_whole = stored == list(range(points)) and len(series["val_loss"]["x"]) == points
    return Row(
        f"`losswise sync` of it; {len(stored):,} points stored",
        "s",
        [seconds],
        bar=f"all {points:,}, once",
        met=is_whole,
        detail={"stored": len(stored), "left": [path.name for path in Path(environ["LW_JOURNAL_DIR"]).iterdir()]},
    )


# in the measured process


def train(steps: int, units: int) -> dict[str, Any]:
    """Go on with the training for so many steps."""
    run = _run()
    clock = StepClock(max(steps, 1))
    append, first, loss = run.graph.append, run.steps, 0.5
    for step in range(first, first + steps):
        clock.tick()
        work(units)
        append(step, {"train_loss": loss, "val_loss": loss})
        loss *= 0.9999
    run.steps += steps
    measured = clock.result() if steps else {}
    return {**measured, "peak": peak_memory(), "graph": run.graph.id}


class _Run:
    def __init__(self) -> None:
        from losswise import Session

        self.steps = 0
        self.session = Session("outage", track_git=False, command_line=False)
        self.graph = self.session.graph("loss")


_run = functools.cache(_Run)


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("outage",)))
