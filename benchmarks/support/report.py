"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEADINGS = ("what", "losswise", "beside", "", "ratio", "bar", "met")


@dataclass(frozen=True)
class Row:
    """One thing measured.

    Attributes:
        what: what was measured, in words.
        unit: of all numbers of the row; may be empty.
        ours: one number a run.
        beside: the peer or baseline measured in the same run; empty where there is none.
        theirs: its numbers, one a run.
        bar: what docs/benchmarks.md promises, in words; empty where nothing is promised.
        met: whether that is so; None where nothing is promised, or where the runs differ too much to tell.
        detail: further numbers of the same runs, for the JSON.
    """

    what: str
    unit: str
    ours: Sequence[float]
    beside: str = ""
    theirs: Sequence[float] = ()
    bar: str = ""
    met: bool | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Our median by theirs; None where theirs is missing or nothing."""
        theirs = statistics.median(self.theirs) if self.theirs else 0.0
        return statistics.median(self.ours) / theirs if theirs > 0 else None


def machine() -> dict[str, Any]:
    """What the numbers hold for."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "cpu": _cpu_model(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def print_table(results: dict[str, list[Row]], about: dict[str, Any], quick: bool) -> None:
    """One table for all; a benchmark's name stands above its rows."""
    lines = [list(HEADINGS)]
    places: dict[int, str] = {}
    for name, rows in results.items():
        places[len(lines)] = name
        lines += [_cells(row) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    print(f"{about['cores']} cores, {about['cpu']}, {about['system']}, {about['python']}, load {about['load']} before")
    print("medians, with the least and the most of all runs" + ("; --quick: not to be compared" if quick else ""))
    for number, line in enumerate(lines):
        if number in places:
            print(f"\n{places[number]}")
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cells(row: Row) -> list[str]:
    met = {True: "yes", False: "NO", None: "?" if row.bar else ""}[row.met]
    ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
    return [f"  {row.what}", _shown(row.ours, row.unit), row.beside, _shown(row.theirs, row.unit), ratio, row.bar, met]


def _shown(numbers: Sequence[float], unit: str) -> str:
    if not numbers:
        return ""
    middle = f"{_short(statistics.median(numbers))} {unit}".strip()
    return middle if len(numbers) == 1 else f"{middle} ({_short(min(numbers))} to {_short(max(numbers))})"


def _short(number: float) -> str:
    """Three digits that count, and no exponent."""
    size = abs(number)
    return f"{number:,.0f}" if size >= 100 or number == int(number) else f"{number:.{1 if size >= 10 else 2}f}"


def write_json(path: Path, results: dict[str, list[Row]], about: dict[str, Any], quick: bool) -> None:
    """Every number of every run. Infinity and NaN are errors here."""
    document = {
        "machine": about,
        "arguments": sys.argv[1:],
        "quick": quick,
        "at": time.time(),
        "benchmarks": {name: [_fields(row) for row in rows] for name, rows in results.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def _fields(row: Row) -> dict[str, Any]:
    fields: dict[str, Any] = {"what": row.what, "unit": row.unit, "ours": _numbers(row.ours)}
    if row.theirs:
        fields |= {"beside": row.beside, "theirs": _numbers(row.theirs), "ratio": row.ratio}
    if row.bar:
        fields |= {"bar": row.bar, "met": row.met}
    return fields | ({"detail": row.detail} if row.detail else {})


def _numbers(numbers: Sequence[float]) -> dict[str, Any]:
    return {"median": statistics.median(numbers), "least": min(numbers), "most": max(numbers), "runs": list(numbers)}
