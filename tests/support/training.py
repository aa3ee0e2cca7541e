"""A training script that records one point a step, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.server import Server, clean_environment

SCRIPT = """
import sys, time
import losswise

steps, pause = int(sys.argv[1]), float(sys.argv[2])
with losswise.Session(tag="outage", max_iter=steps, track_git=False) as session:
    print(session.id, flush=True)
    graph = session.graph("loss", kind="min")
    for x in range(steps):
        graph.append(x, {"train_loss": 1 / (x + 1), "x": x})
        time.sleep(pause)
"""


def train(
    server: Server, folder: Path, steps: int, pause: float, url: str | None = None
) -> tuple[subprocess.Popen[str], str]:
    """A training script in a process of its own, and its session's id. It sends to `url` where one is given."""
    folder.mkdir(exist_ok=True)
    script = folder / "train.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script, str(steps), str(pause)],
        env=clean_environment(folder, LW_API_KEY=server.api_key, LW_BASE_URL=url or server.url),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def arrived(server: Server, session: str) -> list[int]:
    """Every x of the script's session that the server has, in order."""
    [graph] = server.session(session)["graphs"]
    points = server.points(graph["id"])["train_loss"]
    assert points["y"] == [1 / (x + 1) for x in points["x"]]
    return points["x"]
