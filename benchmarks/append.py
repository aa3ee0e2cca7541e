"""What one log call costs the training thread, and what a point costs the whole process.

Every call is timed, and nothing is subtracted. Beside it runs the same loop with a method that does nothing:
its cost is that of timing itself, and its longest call is what the machine does to a loop.
"""

from __future__ import annotations

import os
import sys
import time
from array import array
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median
from typing import Any

from benchmarks.support.measuring import Result, column, in_child, interleaved, reaching, running_server
from benchmarks.support.process_metrics import waited_for_processor
from benchmarks.support.report import Row

LONG = 10_000_000
"""Nanoseconds that no call may take."""

NOTHING, PEER = "a method that does nothing", "tensorboardX, two add_scalar"


def run(quick: bool) -> list[Row]:
    calls, repeats = (50_000, 2) if quick else (1_000_000, 5)
    with running_server() as server:
        cases: dict[str, Callable[[], Result]] = {
            "losswise": lambda: in_child("benchmarks.append:losswise", {"calls": calls}, reaching(server)),
            NOTHING: lambda: in_child("benchmarks.append:nothing", {"calls": calls}, {}),
        }
        if find_spec("tensorboardX") is not None:
            options = {"calls": 1_000 if quick else 20_000}
            cases[PEER] = lambda: in_child("benchmarks.append:tensorboard", options, {})
        found = interleaved("append", cases, repeats)
    ours, base, peer = found["losswise"], found[NOTHING], found.get(PEER, [])
    middle, most = column(ours, "median", 1e-3), column(ours, "longest", 1e-6)
    p99 = column(ours, "p99", 1e-3)
    return [
        Row("one call, median", "µs", middle, NOTHING, column(base, "median", 1e-3), "≤ 2 µs", median(middle) <= 2),
        *_peer_row("one call, median", "µs", middle, column(peer, "median", 1e-3)),
        Row("one call, 99th percentile", "µs", p99, NOTHING, column(base, "p99", 1e-3), "≤ 10 µs", median(p99) <= 10),
        *_peer_row("one call, 99th percentile", "µs", p99, column(peer, "p99", 1e-3)),
        Row(
            "the longest call of all",
            "ms",
            most,
            NOTHING,
            column(base, "longest", 1e-6),
            "none over 10 ms",
            max(most) * 1e6 <= LONG,
            {"losswise": ours, NOTHING: base, PEER: peer},
        ),
        Row("calls over 1 ms", "", column(ours, "over_1_ms"), NOTHING, column(base, "over_1_ms")),
        Row(
            "the thread waited for a processor",
            "ms",
            column(ours, "waited", 1e3),
            NOTHING,
            column(base, "waited", 1e3),
        ),
        Row("processor time a point, all in all", "µs", column(ours, "processor", 1e6), NOTHING, _processor(base)),
        *_peer_row("processor time a point, all in all", "µs", column(ours, "processor", 1e6), _processor(peer)),
        Row(f"until all {calls:,} are acknowledged", "s", column(ours, "flushed")),
    ]


def _peer_row(what: str, unit: str, ours: list[float], theirs: list[float]) -> list[Row]:
    return [Row(what, unit, ours, PEER, theirs)] if theirs else []


def _processor(results: list[Result]) -> list[float]:
    return column(results, "processor", 1e6)


# in the measured process


def losswise(calls: int) -> Result:
    from losswise import Session

    session = Session("append", track_git=False, command_line=False)
    graph = session.graph("loss")
    graph.append(-1, {"train_loss": 1.0, "val_loss": 1.0})
    if not session.flush(60.0):
        raise RuntimeError("the server does not answer")
    result, processor = _timed(graph.append, calls)
    ended = time.perf_counter()
    if not session.flush(600.0):
        raise RuntimeError("the server did not acknowledge everything")
    result["flushed"] = time.perf_counter() - ended
    result["processor"] = (time.process_time() - processor) / calls
    session.done()
    return result


def nothing(calls: int) -> Result:
    result, processor = _timed(_Nothing().append, calls)
    return {**result, "processor": (time.process_time() - processor) / calls}


class _Nothing:
    def append(self, x: int, y: dict[str, float]) -> None:
        pass


def tensorboard(calls: int) -> Result:
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(os.path.join(os.environ["HOME"], "events"))

    def append(x: int, y: dict[str, float]) -> None:
        writer.add_scalar("train_loss", y["train_loss"], x)
        writer.add_scalar("val_loss", y["val_loss"], x)

    result, processor = _timed(append, calls)
    writer.close()
    return {**result, "processor": (time.process_time() - processor) / calls}


def _timed(append: Callable[[int, dict[str, float]], Any], calls: int) -> tuple[Result, float]:
    """Call so often, each call timed by itself; and the process's processor time at the start."""
    took = array("q", bytes(8 * calls))
    now = time.perf_counter_ns
    loss, waited, processor = 0.5, waited_for_processor(), time.process_time()
    for x in range(calls):
        started = now()
        append(x, {"train_loss": loss, "val_loss": loss})
        took[x] = now() - started
        loss *= 0.999999
    waited = waited_for_processor() - waited
    order = sorted(took)
    result = {
        "calls": calls,
        "median": order[calls // 2],
        "p99": order[calls * 99 // 100],
        "longest": order[-1],
        "ten_longest": order[:-11:-1],
        "over_1_ms": sum(time > 1_000_000 for time in order[-10_000:]),
        "waited": waited,
    }
    return result, processor


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("append",)))
