"""What keeping summaries costs while points come in: the same batches with and without, for a bulk load and a trickle.

Without means that nothing is ever sealed. Processor time is that of the storing process and the database, a point.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.support.measuring import (
    Child,
    Result,
    column,
    differences,
    interleaved,
    processor_time,
    running_postgres,
    temporary_folder,
)
from benchmarks.support.report import Row

LOADS = {
    # sessions, batches of each, points a batch
    "bulk: batches of 5,000 points": (4, 25, 5_000),
    "trickle: 20 writers, batches of 5 points": (20, 150, 5),
}
NEVER = 2**62


def run(quick: bool) -> list[Row]:
    repeats = 2 if quick else 7
    rows = []
    with temporary_folder() as folder:
        rows += _measured("SQLite", folder, None, [], repeats, quick)
    with running_postgres() as postgres, temporary_folder() as folder:
        rows += _measured("PostgreSQL", folder, postgres.new_database(), [postgres.pid], repeats, quick)
    return rows


def _measured(name: str, folder: Path, url: str | None, database: list[int], repeats: int, quick: bool) -> list[Row]:
    rows = []
    with Child("benchmarks.summaries:load", folder) as child:
        for title, (sessions, batches, points) in LOADS.items():
            options: dict[str, Any] = {"folder": str(folder), "url": url, "sessions": sessions, "points": points}
            options["batches"] = max(2, batches // 10) if quick else batches
            total = sessions * options["batches"] * points

            def case(sealed: bool, options: dict[str, Any] = options, total: int = total) -> Callable[[], Result]:
                def measure() -> Result:
                    before = processor_time(*database)
                    result = child.call(sealed=sealed, **options)
                    seconds = result["processor"] + processor_time(*database) - before
                    return {"processor": seconds / total * 1e6}

                return measure

            case(True)()  # the first finds nothing prepared
            found = interleaved(f"summaries in {name}", {"with": case(True), "without": case(False)}, repeats)
            ours, base = column(found["with"], "processor"), column(found["without"], "processor")
            rows.append(Row(f"{name}, {title}", "µs", ours, "without summaries", base))
            rows.append(Row(f"{name}, {title}: summaries alone", "µs", differences(ours, base)))
    return rows


# in the storing process

_kept: list[Any] = []


def load(folder: str, url: str | None, sealed: bool, sessions: int, batches: int, points: int) -> Result:
    """Apply batches of so many points to new sessions in turn."""
    from losswise_server.points import summaries

    from losswise.protocol import records
    from tests.support.application import DirectWriting, application

    if not _kept:
        _kept.append(application(Path(folder), url))
        _kept[0].__enter__()  # until this process ends
        _kept.append(summaries.MAX_UNSEALED_POINTS)
    summaries.MAX_UNSEALED_POINTS = _kept[1] if sealed else NEVER
    runs = [DirectWriting() for _ in range(sessions)]
    graphs = [run.graph() for run in runs]
    loss = [0.5 + number / 1e3 for number in range(points)]
    processor = time.process_time()
    for batch in range(batches):
        xs = list(range(batch * points, (batch + 1) * points))
        times = [1.7e9 + x / 10 for x in xs]
        for run, graph in zip(runs, graphs, strict=True):
            run.send(records.points_record(graph, xs, times, {"train_loss": loss, "val_loss": loss}))
    return {"processor": time.process_time() - processor}


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.exit(main(names=("summaries",)))
