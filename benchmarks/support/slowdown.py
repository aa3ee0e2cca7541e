"""What logging adds to a step of a framework's training: the frame of keras_fit and lightning_fit.

Each way to log has a process that trains, with the framework imported and warmed up. In its run the logging is on and
off in turn, some seconds each: off means that a method is called which does nothing. The step is a small model's own,
about a millisecond, and does a fixed amount of work. What is measured goes from one step's start to the next one's, so
it holds all hooks between.
"""

from __future__ import annotations

from statistics import median, quantiles

from benchmarks.support.measuring import Child, Result, reaching, running_server, say, temporary_folder
from benchmarks.support.report import Row

OURS, PEER = "losswise", "tensorboard"

MEASURES = (
    ("median", "wall, the median step", True),
    ("mean", "wall, the mean step", True),
    ("processor", "processor, all threads", True),
    ("thread", "processor, the training thread", False),
)
# one thread computes: a step of a small model then takes the same time each time
ONE_THREAD = {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def rows(name: str, has_peer: bool, quick: bool) -> list[Row]:
    """Measure `benchmarks.<name>:fit`, a function of `how` to log, of the number of turns and of their steps."""
    turns, length, runs = (9, 200, 1) if quick else (11, 4_800, 5)
    found: dict[str, list[Result]] = {how: [] for how in ((OURS, PEER) if has_peer else (OURS,))}
    with running_server() as server, temporary_folder() as folder:
        for number in range(runs):
            for how, results in found.items():
                say(f"{name}: {how}, {number + 1} of {runs}")
                environ = {**ONE_THREAD, **reaching(server)}
                with Child(f"benchmarks.{name}:fit", folder / f"{how}{number}", **environ) as child:
                    child.call(how=how, turns=1, length=200)
                    results.append(child.call(how=how, turns=turns, length=length))
    base = [step for results in found.values() for result in results for step in result["turns"]["median"][2::2]]
    first = Row("a step while logging is off", "µs", base, detail=found)
    return [first, *(_row(found, median(base), *each) for each in MEASURES)]


def _row(found: dict[str, list[Result]], step: float, key: str, what: str, has_bar: bool) -> Row:
    ours = [each for result in found[OURS] for each in _added(result["turns"][key])]
    peer = found.get(PEER, [])
    allowed = max(10.0, step / 100)
    low, _middle, high = quantiles(ours, n=4)
    is_restless = high - low > 4 * allowed  # the machine says more than we do: no verdict
    return Row(
        f"added to a step: {what}",
        "µs",
        ours,
        peer[0]["peer"] if peer else "",
        [each for result in peer for each in _added(result["turns"][key])],
        f"≤ {allowed:.1f} µs" if has_bar else "",
        median(ours) <= allowed if has_bar and not is_restless else None,
    )


def _added(turns: list[float]) -> list[float]:
    """What each turn of logging adds to the turns without it around it. The first two are the start of `fit`."""
    around = zip(turns[2:-2:2], turns[3:-1:2], turns[4::2], strict=True)
    return [logging - (before + after) / 2 for before, logging, after in around]
