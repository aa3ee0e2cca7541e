"""Measurements of the benchmarked processes: memory, waiting for a processor, time of steps. Imports little."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import itertools
import os
import sys
import threading
import time
from array import array
from pathlib import Path
from typing import Any


def peak_memory() -> int:
    """Bytes that this process held at most. From VmHWM: ru_maxrss may hold what the parent had."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def resident_memory() -> int:
    """The memory of this process in bytes, as Linux counts it."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    """How many files and sockets this process has open, on Linux."""
    return len(os.listdir("/proc/self/fd"))


def waited_for_processor() -> float:
    """Seconds that this thread was ready to run and no processor was free, so far; 0 if it is unknown."""
    with contextlib.suppress(OSError, AttributeError):
        return int(Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


class StepClock:
    """When each step of a training began, by the wall clock, and what the whole took of the processors.

    `tick` stands at one place of the step, so from tick to tick is a step with all that is called in it.
    """

    def __init__(self, most: int) -> None:
        self._at = array("q", bytes(8 * most))
        self.count = 0
        self._processor: list[int] = []

    def tick(self) -> None:
        if not self.count:
            gc.collect()
            self._processor = [time.process_time_ns(), time.thread_time_ns()]
        self._at[self.count] = time.perf_counter_ns()
        self.count += 1

    def result(self) -> dict[str, Any]:
        """Microseconds a step: the median step, the mean step, processor time of process and of this thread."""
        all_threads, this_thread = time.process_time_ns(), time.thread_time_ns()
        ended = time.perf_counter_ns()
        at = self._at[: self.count]
        steps = sorted(after - before for before, after in itertools.pairwise(at))
        return {
            "steps": self.count,
            "median": steps[len(steps) // 2] / 1e3,
            "mean": (ended - at[0]) / self.count / 1e3,
            "longest": steps[-1] / 1e3,
            "processor": (all_threads - self._processor[0]) / self.count / 1e3,
            "thread": (this_thread - self._processor[1]) / self.count / 1e3,
        }


class Turns(StepClock):
    """A clock of a training whose logging is off and on in turn, in one process and one run.

    Where a process has its memory, and what the machine does meanwhile, changes a step by more than what is measured.

    Attributes:
        is_on: log the step that runs.
    """

    REST = 1_600
    """First steps of a turn that are not counted: what was logged in the turn before is still on its way."""
    LENGTH = 4_800

    def __init__(self, turns: int, length: int = LENGTH) -> None:
        super().__init__(turns * length + 1)
        self.is_on = False
        self.steps = turns * length
        self._length = length
        self._rest = min(self.REST, length // 2)
        self._marks: list[tuple[int, int, int]] = []

    def tick(self) -> None:
        super().tick()
        place = (self.count - 1) % self._length
        if place in (0, self._rest):
            if place == 0:
                self.is_on = (self.count - 1) // self._length % 2 == 1
            self._marks.append((self.count - 1, time.process_time_ns(), time.thread_time_ns()))

    def result(self) -> dict[str, Any]:
        """Microseconds a step in each turn, the first of which is off."""
        self.tick()
        found: dict[str, list[float]] = {"median": [], "mean": [], "processor": [], "thread": []}
        for (first, *before), (last, *after) in zip(self._marks[1::2], self._marks[2::2], strict=False):
            at = self._at[first : last + 1]
            steps = sorted(later - earlier for earlier, later in itertools.pairwise(at))
            spent = ((end - begin) / len(steps) / 1e3 for begin, end in zip(before, after, strict=True))
            found["median"].append(steps[len(steps) // 2] / 1e3)
            found["mean"].append((at[-1] - at[0]) / len(steps) / 1e3)
            for key, each in zip(("processor", "thread"), spent, strict=True):
                found[key].append(each)
        return {"turns": found}


def work(units: int) -> int:
    """A training step's stand-in: Python code, then C code that releases the interpreter's lock, half and half.

    It is an amount of work and no waiting until a time: a wait would not show what was taken from it.
    """
    total = 0
    for number in range(units * 11):
        total += number & 7
    hashlib.sha256(_zeros(units * 1_000)).digest()
    return total


def units_of(seconds: float) -> int:
    """So many units of `work` take so long, here and now."""
    took = []
    for _ in range(200):
        started = time.perf_counter()
        work(1_000)
        took.append(time.perf_counter() - started)
    return max(1, round(1_000 * seconds / sorted(took)[len(took) // 2]))


@functools.lru_cache(maxsize=1)
def _zeros(count: int) -> bytes:
    return bytes(count)
