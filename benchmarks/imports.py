"""What `import losswise` adds to the start of an interpreter, beside `import requests`."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

from benchmarks.support.measuring import ROOT, Result, column, differences, interleaved
from benchmarks.support.report import Row

BAR = 50.0
SCRIPTS = {
    "nothing": "",
    "losswise": "import losswise",
    "losswise.Session": "import losswise; losswise.Session; losswise.Graph",
    "requests": "import requests",
}


def run(quick: bool) -> list[Row]:
    cases = {name: lambda script=script: _start(script) for name, script in SCRIPTS.items()}
    for case in cases.values():  # the first start reads files that later ones find in memory
        case()
    found = interleaved("imports", cases, 5 if quick else 30)
    bare = column(found["nothing"], "seconds", 1e3)
    added = {name: differences(column(results, "seconds", 1e3), bare) for name, results in found.items()}
    return [
        Row("an interpreter that imports nothing", "ms", bare),
        _row("import losswise", added["losswise"], added["requests"]),
        _row("the same, and Session is used", added["losswise.Session"], added["requests"]),
    ]


def _row(what: str, ours: list[float], requests: list[float]) -> Row:
    return Row(what, "ms", ours, "import requests", requests, f"≤ {BAR:.0f} ms", median(ours) <= BAR)


def _start(script: str) -> Result:
    """Seconds from the start of an interpreter to its end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
    return {"seconds": time.perf_counter() - started}


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("imports",)))
