"""An error inside of the client, of any kind and anywhere: one warning, and the script ends as it would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Server, clean_environment

ROOT = Path(__file__).resolve().parents[2]
HARNESS = Path(__file__).with_name("harness.py")
OWN_STATUS = 7


def run_all(tmp_path_factory: pytest.TempPathFactory, every: int) -> list[dict[str, Any]]:
    """What came of every so many functions, broken in turn."""
    folder = tmp_path_factory.mktemp("injection")
    server = Server(tmp_path_factory.mktemp("server")).start()
    home = tmp_path_factory.mktemp("home")
    environ = clean_environment(
        home, LW_BASE_URL=server.url, LW_API_KEY=server.api_key, LW_END_TIMEOUT="2", PYTHONPATH=str(ROOT)
    )
    try:
        done = subprocess.run(
            [sys.executable, str(HARNESS), str(folder), "12", str(every)],
            env=environ,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
    finally:
        server.kill()
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.full)])
def test_a_script_ends_as_it_would_whichever_function_of_ours_is_broken(
    tmp_path_factory: pytest.TempPathFactory, every: int
) -> None:
    runs = run_all(tmp_path_factory, every)
    wrong = [
        f"{run['name']}: ended with {run['status']}, {run['strikes']} strikes\n{run['stderr'][-1500:]}"
        for run in runs
        if run["status"] != OWN_STATUS or "Traceback" in run["stderr"]
    ]
    assert not wrong, "\n\n".join(wrong)
    struck = [run for run in runs if run["strikes"] > 0]
    assert len(struck) > 200 / every  # most functions are used by a training
    lines = {run["name"]: run["stderr"].count("InjectedFault") for run in struck}
    assert max(lines.values()) <= 12, {name: count for name, count in lines.items() if count > 12}
