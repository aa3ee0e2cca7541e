"""What logging adds to a step of a framework's training: the frame of keras_fit and lightning_fit.

Each way to log has a process that stays for some turns, with the framework imported and warmed up, and trains
when it is its turn. The step is a small model's own, about a millisecond, and does a fixed amount of work. What is
measured goes from one step's start to the next one's, so it holds all hooks between.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median, quantiles

from benchmarks.measuring import (
    Child,
    Result,
    column,
    differences,
    interleaved,
    reaching,
    running_server,
    say,
    temporary_folder,
)
from benchmarks.report import Row

EMPTY, OURS, PEER = "empty", "losswise", "tensorboard"

MEASURES = (
    ("median", "wall, the median step", True),
    ("mean", "wall, the mean step", True),
    ("processor", "processor, all threads", True),
    ("thread", "processor, the training thread", False),
)
# one thread computes: a step of a small model then takes the same time each time
ONE_THREAD = {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def rows(name: str, has_peer: bool, quick: bool) -> list[Row]:
    """Measure `benchmarks.<name>:fit`, a function of `how` to log and of the number of steps."""
    steps, repeats, generations = (200, 2, 1) if quick else (2_000, 4, 4)
    hows = (EMPTY, OURS, PEER) if has_peer else (EMPTY, OURS)
    found: dict[str, list[Result]] = {how: [] for how in hows}
    with running_server() as server:
        # where a process has its memory makes it some per cent faster or slower for its whole life
        for _ in range(generations):
            for how, results in _generation(name, hows, steps, repeats, {**ONE_THREAD, **reaching(server)}).items():
                found[how] += results
    base = column(found[EMPTY], "median")
    return [Row("a step with an empty logger", "µs", base, detail=found), *(_row(found, *each) for each in MEASURES)]


def _generation(
    name: str, hows: tuple[str, ...], steps: int, repeats: int, environ: dict[str, str]
) -> dict[str, list[Result]]:
    """Runs in turn, in processes that are warmed up first."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        children = {how: stack.enter_context(Child(f"benchmarks.{name}:fit", folder / how, **environ)) for how in hows}
        say(f"{name}: warming up")
        for how, child in children.items():
            child.call(how=how, steps=min(steps, 300))
        cases = {how: lambda how=how, child=child: child.call(how=how, steps=steps) for how, child in children.items()}
        return interleaved(name, cases, repeats)


def _row(found: dict[str, list[Result]], key: str, what: str, has_bar: bool) -> Row:
    base = column(found[EMPTY], key)
    ours = differences(column(found[OURS], key), base)
    peer = found.get(PEER, [])
    allowed = max(10.0, median(base) / 100)
    low, _middle, high = quantiles(ours, n=4)
    is_restless = high - low > 4 * allowed  # the machine says more than we do: no verdict
    return Row(
        f"added to a step: {what}",
        "µs",
        ours,
        peer[0]["peer"] if peer else "",
        differences(column(peer, key), base) if peer else [],
        f"≤ {allowed:.1f} µs" if has_bar else "",
        median(ours) <= allowed if has_bar and not is_restless else None,
    )
