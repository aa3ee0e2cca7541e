"""The benchmarks run and say what they measured. No test depends on how fast it was."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = ("imports", "append")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The printed table and the JSON of a quick run."""
    file = tmp_path_factory.mktemp("bench") / "made" / "bench.json"
    words = [sys.executable, "-m", "benchmarks", *NAMES, "--quick", "--json", str(file)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout, json.loads(file.read_text())


@pytest.mark.full
def test_every_number_is_finite(ran: tuple[str, dict[str, Any]]) -> None:
    _table, document = ran
    assert set(document["benchmarks"]) == set(NAMES)
    for rows in document["benchmarks"].values():
        assert rows
        for row in rows:
            for side in ("ours", "theirs"):
                numbers = row.get(side, {"runs": [0.0], "median": 0.0})
                assert numbers["runs"]
                assert all(math.isfinite(number) for number in [*numbers["runs"], numbers["median"]]), row["what"]


@pytest.mark.full
def test_bars_are_told_apart_from_what_is_only_measured(ran: tuple[str, dict[str, Any]]) -> None:
    _table, document = ran
    for rows in document["benchmarks"].values():
        assert any(isinstance(row.get("met"), bool) for row in rows)
        assert all(("bar" in row) == ("met" in row) for row in rows)


@pytest.mark.full
def test_the_table_names_the_machine_and_what_was_measured(ran: tuple[str, dict[str, Any]]) -> None:
    table, document = ran
    assert table.startswith(f"{document['machine']['cores']} cores, {document['machine']['cpu']}")
    assert document["machine"]["python"] in table
    for rows in document["benchmarks"].values():
        assert all(row["what"] in table for row in rows)


def test_a_benchmark_that_is_none_is_told() -> None:
    words = [sys.executable, "-m", "benchmarks", "apend"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "there is no benchmark apend; there are append" in done.stderr
