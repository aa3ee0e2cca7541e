"""Every example runs as a newcomer runs it: in a process of its own, with nothing but a stored login."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from losswise.util.credentials import store_login
from tests.support.server import Server, clean_environment, eventually

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_example(name: str, server: Server, home: Path, *arguments: str) -> Any:
    """Run an example to its end; its session as the read API gives it."""
    store_login(server.url, server.api_key)  # clean_home has made this the user's home
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env=clean_environment(home, CUDA_VISIBLE_DEVICES=""),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    address = next(line for line in done.stderr.splitlines() if "watching at" in line)
    return server.session(address.rpartition("/")[2])


def graph_of(session: Any, title: str) -> Any:
    return next(graph for graph in session["graphs"] if graph["title"] == title)


def counts(session: Any, title: str) -> dict[str, int]:
    return {name: stats["count"] for name, stats in graph_of(session, title)["stats"].items()}


def test_quickstart(server: Server, clean_home: Path) -> None:
    session = run_example("quickstart.py", server, clean_home, "--pause", "0")
    assert session["tag"] == "my first session"
    assert (session["status"], session["progress"], session["max_iter"]) == ("complete", 1, 100)
    assert session["last_x"] == 109, "more steps than max_iter"
    assert {graph["title"]: graph["kind"] for graph in session["graphs"]} == {"loss": "min", "acc": "max"}
    assert counts(session, "loss") == {"train_loss": 110, "val_loss": 11}
    assert counts(session, "acc") == {"train_acc": 110, "val_acc": 11}
    assert session["params"] == {"learning_rate": 0.01, "batch_size": 64, "layers": [128, 10]}
    assert session["values"]["note"] == "as good as it gets"


@pytest.mark.full
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_pytorch_loop(server: Server, clean_home: Path) -> None:
    session = run_example("pytorch_loop.py", server, clean_home, "--epochs", "2")
    assert (session["status"], session["max_iter"]) == ("complete", 90)
    assert counts(session, "loss") == {"train_loss": 90, "val_loss": 2}
    assert counts(session, "accuracy") == {"val_accuracy": 2}
    assert session["stats"]["val_accuracy"]["max"] > 0.7, "it learns"


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_keras(server: Server, clean_home: Path) -> None:
    session = run_example("keras_mnist_like.py", server, clean_home, "--epochs", "1")
    assert (session["status"], session["max_iter"], session["tag"]) == ("complete", 45, "keras digits")
    assert counts(session, "loss") == {"loss": 45, "val_loss": 1}
    assert counts(session, "accuracy") == {"accuracy": 45, "val_accuracy": 1}
    assert session["params"]["filters"] == 16
    assert session["params"]["optimizer"] == "Adam"


@pytest.mark.full
@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_lightning(server: Server, clean_home: Path) -> None:
    session = run_example("lightning_mnist_like.py", server, clean_home, "--epochs", "2")
    assert (session["status"], session["max_iter"], session["tag"]) == ("complete", 90, "lightning digits")
    assert counts(session, "loss") == {"train_loss": 90, "val_loss": 2}
    assert session["params"]["hidden"] == 64
    assert eventually(lambda: server.session(session["id"])["stats"]["val_accuracy"]["max"] > 0.7), "it learns"
