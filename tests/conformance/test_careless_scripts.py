"""Scripts that the published client 4.0 accepts, although what they send makes little sense: none of them ends."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support.server import Server, clean_environment

SESSIONS = """
import json
import losswise

deep = []
for _ in range(300):
    deep = [deep]
ids = []
for fields in (
    dict(max_iter=3217 / 32 * 1.0),
    dict(max_iter=-1),
    dict(max_iter=float("inf")),
    dict(max_iter=float("nan")),
    dict(max_iter=2**63),
    dict(max_iter=True),
    dict(params={"deep": deep, "n": float("nan"), "large": "x" * 3_000_000}),
    dict(params=[1, 2]),
    dict(params="text"),
    dict(tag=["a", 1]),
    dict(tag="t" * 100_000),
    dict(info={"note": "n" * 3_000_000}),
):
    session = losswise.Session(**{"track_git": False, **fields})
    graph = losswise.Graph(session, "", "", "loss", kind="min", display_interval=1)
    graph.append(0, {"a": 1.5})
    session.done()
    ids.append([session.session_id, graph.graph_id])
# `max_iter` as a text: Session takes it, and a graph with an interval of its own too
session = losswise.Session(max_iter="100", track_git=False)
ids.append([session.session_id, losswise.Graph(session, "", "", "loss", display_interval=1).graph_id])
session.done()
print("IDS", json.dumps(ids))
"""
EXPECTED = [101, None, None, None, None, None, None, None, None, None, None, None, 100]

POINTS = """
import json
import losswise

session = losswise.Session(max_iter=100, track_git=False)
graph = session.graph("loss", kind="min", display_interval=1)
other = losswise.Graph(session, ["x"], 5, "title " * 1_000, display_interval=1)
graph.append(0, {"a": 1.0})
graph.append(1, {"n" * 600: 2.0})
graph.append(2, {"name %d" % number: 3.0 for number in range(1_200)})
graph.append(2**70, {"a": 4.0})
graph.append(4, {"a": 5.0})
other.append(5, {"b": 6.0})
session.set_values({"deep": eval("[" * 90 + "]" * 90), "good": 1, "n" * 600: float("inf")})
session.done()
print("IDS", json.dumps([session.session_id, graph.graph_id, other.graph_id]))
"""


def run(server: Server, published: Path, folder: Path, script: str) -> Any:
    """What the script printed as its ids. It must end well."""
    environ = clean_environment(folder, LW_API_KEY=server.api_key, LW_BASE_URL=server.url)
    done = subprocess.run(
        [published, "-c", script], env=environ, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout.rpartition("IDS ")[2])


def test_no_description_of_a_session_ends_a_script(server: Server, published: Path, tmp_path: Path) -> None:
    ids = run(server, published, tmp_path, SESSIONS)
    rows = [server.session(session) for session, _ in ids]
    assert [row["max_iter"] for row in rows] == EXPECTED
    assert [row["status"] for row in rows] == ["complete"] * len(rows)
    for _, graph in ids[:-1]:
        assert server.points(graph)["a"]["y"] == [1.5]


def test_no_point_loses_its_neighbours(server: Server, published: Path, tmp_path: Path) -> None:
    session, graph, other = run(server, published, tmp_path, POINTS)
    stored = server.points(graph)
    assert (stored["a"]["x"], stored["a"]["y"]) == ([0, 4], [1.0, 5.0])
    [cut] = [name for name in stored if name.startswith("nnn")]
    assert (len(cut), stored[cut]["y"]) == (500, [2.0])
    assert len(stored) == 1_000
    assert server.points(other)["b"]["y"] == [6.0]
    values = server.session(session)["values"]
    assert values["good"] == 1
    assert len(values) == 3
