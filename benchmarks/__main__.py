"""`python -m benchmarks [NAME ...] [--quick] [--json FILE]`: run benchmarks, print a table, write JSON."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.support.measuring import say
from benchmarks.support.report import Row, machine, print_table, write_json

NAMES = (
    "append",
    "imports",
    "memory",
    "keras_fit",
    "lightning_fit",
    "sessions",
    "outage",
    "ingest",
    "summaries",
    "series",
    "table",
    "live",
    "beside",
)
BY_NAME_ONLY = ("bounds", "soak")
"""What takes long, and is compared with nothing."""


HELP = f"which: {', '.join(NAMES)}; not among all: {', '.join(BY_NAME_ONLY)}"


def main(words: list[str] | None = None, names: tuple[str, ...] = NAMES) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Losswise beside its peers.")
    if len(names) > 1:
        parser.add_argument("names", nargs="*", metavar="NAME", help=HELP)
    parser.add_argument("--quick", action="store_true", help="small counts: shows that it works, not how fast it is")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="FILE", help="%(default)s")
    chosen = parser.parse_args(words)
    if unknown := set(getattr(chosen, "names", ())) - {*names, *BY_NAME_ONLY}:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    about = machine()  # now: afterwards the load is our own
    results: dict[str, list[Row]] = {}
    failed: list[str] = []
    for name in getattr(chosen, "names", ()) or names:
        try:
            results[name] = import_module(f"benchmarks.{name}").run(chosen.quick)
        except Exception as error:  # the others are still worth their time
            say(f"{name}: {type(error).__name__}: {error}")
            failed.append(name)
    print_table(results, about, chosen.quick)
    write_json(chosen.json, results, about, chosen.quick)
    print(f"\nwritten to {chosen.json}" + (f"; not measured: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
