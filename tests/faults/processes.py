"""The processes of a scenario: its script, `losswise sync`, and kills."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.server import Server, clean_environment

TRAINING = Path(__file__).with_name("training.py")
PATIENCE = 150.0
"""Seconds after which a script that has not ended hangs."""


class Script:
    """A training script in a process group of its own, its output in files."""

    def __init__(self, folder: Path, name: str, url: str, key: str, *arguments: str) -> None:
        self.folder = folder
        self._paths = [folder / f"{name}.{stream}" for stream in ("out", "err")]
        with open(self._paths[0], "wb") as out, open(self._paths[1], "wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, TRAINING, folder / "plan.json", folder, *arguments],
                env=clean_environment(folder, LW_API_KEY=key, LW_BASE_URL=url, LW_JOURNAL_DIR=str(folder / "journals")),
                cwd=folder,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def ids(self) -> list[str]:
        """The ids of its sessions, which it prints first."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            text = self._paths[0].read_text()
            if text.endswith("\n"):
                return [str(id_) for id_ in json.loads(text)]
            if self.process.poll() is not None and not self._paths[0].read_text():
                break
            time.sleep(0.02)
        raise AssertionError(f"the script printed no session:\n{self.stderr()}")

    def stderr(self) -> str:
        return self._paths[1].read_text(errors="replace")

    def wait(self) -> int:
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the script did not end in {PATIENCE} s:\n{self.stderr()}") from None

    def kill(self) -> None:
        """kill -9 it, its children too, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@contextlib.contextmanager
def ended_after() -> Iterator[list[Script]]:
    """A list of scripts, none of which outlives the block."""
    scripts: list[Script] = []
    try:
        yield scripts
    finally:
        for script in scripts:
            script.kill()


def sync(folder: Path, server: Server, url: str | None = None, kill_after: float | None = None) -> tuple[int, str]:
    """`losswise sync` of a scenario's journals to the server, or through a proxy; its status and what it said."""
    process = subprocess.Popen(
        server.command("sync"),
        env=_environ(folder, url or server.url, server.api_key),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            said, _ = process.communicate(timeout=kill_after or PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
            if kill_after is None:
                raise
    return process.returncode, said


def _environ(folder: Path, url: str, key: str) -> dict[str, str]:
    return clean_environment(folder, LW_API_KEY=key, LW_BASE_URL=url, LW_JOURNAL_DIR=str(folder / "journals"))


def workers_of(pid: int) -> list[int]:
    """The processes that this one started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    text = (
        listed.read_text()
        if listed.exists()
        else subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout
    )
    return [int(word) for word in text.split()]


def kill_server(server: Server, whole: bool) -> None:
    """kill -9 the server with its workers, or only its workers, which it starts again."""
    assert server.process is not None
    workers = workers_of(server.process.pid)
    if whole:
        server.kill()
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def start_again(server: Server) -> None:
    """On the same port and data, once what was killed has let go of the port."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", server.port)) != 0:
                break
        time.sleep(0.02)
    server.start(server.port)
