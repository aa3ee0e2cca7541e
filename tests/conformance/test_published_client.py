"""The published client, `losswise` 4.0, untouched and in an environment of its own, against the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import Server, clean_environment

SCRIPT = """
import random
import losswise
from PIL import Image

session = losswise.Session(tag="published", max_iter=200, params={"lr": 0.1, "layers": [64, 32]}, track_git=True,
                           info={"note": "**hello**"})
loss = session.graph("loss", kind="min")
acc = session.graph("accuracy", xlabel="step", ylabel="share", kind="max", display_interval=1)
random.seed(1)
sent = {}
for x in range(200):
    point = {"train_loss": 1.0 / (x + 1), "test_loss": 1.5 / (x + 1 + random.random())}
    loss.append(x, point)
    acc.append(x, {"acc": x / 200})
    if x % 50 == 0:
        sequence = session.image_sequence(x=x, name="validation")
        sequence.append(Image.new("RGB", (8, 6), (x, 0, 0)), image_id="img-%d" % x, outputs={"p": 0.5},
                        metrics={"iou": 0.25})
    sent[x] = point
loss.append({"train_loss": 0.001})
session.set_values({"best": 0.5, "note": "fine"})
session.done()
print("SESSION", session.session_id)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with a remote, which that client expects."""
    for words in (
        ["init", "--quiet", "--initial-branch=topic"],
        ["remote", "add", "origin", "https://git.example.com/team/repo.git"],
        ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_a_run_of_losswise_4(server: Server, published: Path, checkout: Path) -> None:
    script = checkout / "train.py"
    script.write_text(SCRIPT)
    environ = clean_environment(checkout, LW_API_KEY=server.api_key, LW_BASE_URL=server.url)
    assert sys.executable != str(published)
    done = subprocess.run([published, script], env=environ, cwd=checkout, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.strip().splitlines()
    # what it prints by itself: how it chose display_interval, and nothing that went wrong
    said = [line for line in lines if not line.startswith(("Losswise: choosing", "You may override", "SESSION"))]
    assert said == []
    assert done.stderr == ""
    session = server.session(lines[-1].split()[1])
    assert (session["tag"], session["status"], session["progress"]) == ("published", "complete", 1.0)
    assert session["params"] == {"lr": 0.1, "layers": [64, 32]}
    assert session["values"] == {"best": 0.5, "note": "fine"}
    assert session["info"] == {"note": "**hello**"}
    assert session["git"]["branch"] == "topic"
    assert session["git"]["url"] == "https://git.example.com/team/repo.git"
    graphs = {graph["title"]: graph for graph in session["graphs"]}
    assert (graphs["loss"]["kind"], graphs["accuracy"]["kind"]) == ("min", "max")
    loss, acc = server.points(graphs["loss"]["id"]), server.points(graphs["accuracy"]["id"])
    assert loss["train_loss"]["x"] == [*range(200), 200]
    assert loss["train_loss"]["y"] == [*(1.0 / (x + 1) for x in range(200)), 0.001]
    assert len(loss["test_loss"]["y"]) == 200
    assert acc["acc"]["y"] == [x / 200 for x in range(200)]
    assert session["stats"]["acc"]["max"] == 199 / 200
    assert session["stats"]["train_loss"]["min"] == 0.001
    assert [(image["x"], image["image_id"]) for image in session["images"]] == [
        (x, f"img-{x}") for x in (0, 50, 100, 150)
    ]
    image = session["images"][1]
    assert (image["width"], image["height"]) == (8, 6)
    blob = server.request("GET", f"/api/v2/sessions/{session['id']}/blobs/{image['sha256']}")
    assert blob.content.startswith(b"\x89PNG")
