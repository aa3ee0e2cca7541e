"""`losswise demo` as a person runs it: its link, its curves, and its end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from losswise.util.credentials import load_login, store_login
from tests.support.server import API_KEY, Server, clean_environment, eventually


class Demo:
    """`losswise demo` in a process, and the read API of its server."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "losswise", "demo", "--no-browser", *arguments],
            env=clean_environment(home),
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def waits_for(self, pattern: str, timeout: float = 40.0) -> str:
        found = eventually(lambda: re.search(pattern, self.output), timeout)
        return str(found[1] if found.groups() else found[0])

    @property
    def url(self) -> str:
        return self.waits_for(r"Open (http://\S+)/sign-in/")

    def sessions(self) -> list[Any]:
        """Its sessions, the oldest first."""
        url = self.url  # said once there is a key
        key = (self.data_dir / "demo_key").read_text()
        answer = requests.get(url + "/api/v2/sessions", headers={"Authorization": key}, timeout=10)
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()["sessions"]))

    @property
    def data_dir(self) -> Path:
        return Path(self.waits_for(r"its data in (\S+), and"))

    def ends_by(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        status = self.process.wait(30)
        self._reader.join(5)
        assert not is_listening(self.url), "its server is left behind"
        assert "Traceback" not in self.output, self.output
        return status


def is_listening(url: str) -> bool:
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.fixture
def demo(clean_home: Path, tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    """Starts demos with a data folder of the test's own."""
    started: list[Demo] = []

    def start(*arguments: str) -> Demo:
        started.append(Demo(clean_home, "--data-dir", str(tmp_path / "demo"), *arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(30)


def test_to_its_end_and_again(demo: Callable[..., Demo]) -> None:
    first = demo("--port", "0", "--seconds", "2")
    link = first.waits_for(r"Open (\S+)")
    page = requests.get(link, timeout=10)
    assert page.status_code == 200, "the link signs in"
    assert "/login" not in page.url, page.url

    first.waits_for("The training is complete")
    login = load_login()
    assert login is not None, "this user's scripts find the server"
    assert (login.base_url, login.api_key) == (first.url, (first.data_dir / "demo_key").read_text())
    runs = first.sessions()
    assert len(runs) == 5
    assert len({run["tag"] for run in runs}) == 5
    assert len({str(run["params"]) for run in runs}) == 5
    assert {graph["title"] for graph in runs[0]["graphs"]} == {"loss", "accuracy", "learning_rate", "gradient_norm"}
    for run in runs:
        assert (run["status"], run["max_iter"], run["progress"], run["group"]) == ("complete", 300, 1, "digits")
        counts = {name: stats["count"] for name, stats in run["stats"].items()}
        assert counts == {
            "train_loss": 300,
            "val_loss": 30,
            "train_accuracy": 300,
            "val_accuracy": 30,
            "learning_rate": 300,
            "gradient_norm": 300,
        }
    best = max(run["stats"]["val_accuracy"]["max"] for run in runs)
    assert best > 0.9, "it is a real model that learns"
    assert runs[1]["created_at"] < runs[0]["ended_at"], "the first two overlap"
    assert first.ends_by(signal.SIGINT) == 0

    second = demo("--port", "0", "--seconds", "60")
    assert requests.get(second.waits_for(r"Open (\S+)"), timeout=10).status_code == 200, "so does the second's"
    eventually(lambda: len(second.sessions()) > 5)
    before = eventually(lambda: second.sessions()[5]["last_x"])
    eventually(lambda: second.sessions()[5]["last_x"] > before, 5), "points arrive while one looks"
    third = demo("--port", "0")
    assert third.process.wait(30) == 1
    assert "another demo runs on" in third.output
    assert second.ends_by(signal.SIGTERM) == 130


@pytest.mark.full
@pytest.mark.parametrize("way", ["Ctrl-C", "Ctrl-C that comes twice", "SIGTERM"])
def test_interrupted_runs_are_cancelled(demo: Callable[..., Demo], clean_home: Path, way: str) -> None:
    interrupted = demo("--port", "0", "--seconds", "45")
    eventually(lambda: len(runs := interrupted.sessions()) >= 2 and runs[1]["last_x"] > 3, 40)
    number = signal.SIGTERM if way == "SIGTERM" else signal.SIGINT
    if way == "Ctrl-C that comes twice":
        interrupted.process.send_signal(number)
        time.sleep(0.005)
    assert interrupted.ends_by(number) == 130
    assert "not sent" not in interrupted.output
    assert "cannot be reached" not in interrupted.output
    assert sorted(clean_home.rglob("*.journal")) == []
    assert (interrupted.data_dir / "journals").is_dir()
    again = demo("--port", "0", "--seconds", "100")
    for run in again.sessions()[:2]:
        assert (run["status"], run["reason"]) == ("cancelled", "interrupted")


def test_ctrl_c_counts_where_a_shell_had_it_ignored(demo: Callable[..., Demo]) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        started = demo("--port", "0", "--seconds", "100")
    finally:
        signal.signal(signal.SIGINT, before)
    eventually(lambda: started.sessions()[0]["last_x"] > 3, timeout=60)
    assert started.ends_by(signal.SIGINT) == 130


@pytest.mark.full
def test_a_port_taken_by_ones_own_server(
    demo: Callable[..., Demo], new_server: Callable[..., Server], clean_home: Path
) -> None:
    taken = new_server().start()
    store_login(taken.url, taken.api_key)
    beside = demo("--port", str(taken.port), "--seconds", "60")
    assert beside.url != taken.url
    assert f"Port {taken.port} is taken by the losswise server that you are logged in to" in beside.output
    eventually(beside.sessions)
    login = load_login()
    assert login is not None
    assert (login.base_url, login.api_key) == (taken.url, API_KEY), "the login stays"
    assert taken.get("/api/v2/sessions")["sessions"] == []


@pytest.mark.full
@pytest.mark.parametrize("framework", ["keras", "lightning"])
def test_frameworks(demo: Callable[..., Demo], framework: str) -> None:
    fitting = demo("--port", "0", "--seconds", "120", "--framework", framework)
    run = eventually(lambda: (runs := fitting.sessions()) and runs[0]["last_x"] and runs[0], 120)
    assert run["tag"] == "narrow"
    assert run["params"]["hidden"] == 8
    assert run["max_iter"] == 45 * 6
    assert fitting.ends_by(signal.SIGINT) == 130


@pytest.mark.parametrize(
    ("absent", "words", "sentence"),
    [
        ("sklearn", [], "the demo needs scikit-learn: pip install 'losswise[demo]'"),
        ("flask", [], "the demo needs flask: pip install 'losswise[demo]'"),
        ("keras", ["--framework", "keras"], "the demo needs keras: pip install 'losswise[demo,keras]'"),
    ],
)
def test_what_is_not_installed(absent: str, words: list[str], sentence: str, clean_home: Path) -> None:
    script = f"import sys; sys.modules[{absent!r}] = None; from losswise.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, "demo", *words],
        env=clean_environment(clean_home),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"losswise demo: {sentence}\n"


def test_a_folder_that_cannot_be_made(clean_home: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    demo = Demo(clean_home, "--data-dir", str(tmp_path / "file" / "data"))
    assert demo.process.wait(30) == 1
    eventually(lambda: "cannot be written" in demo.output)
    assert "Traceback" not in demo.output
