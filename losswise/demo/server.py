"""The server of the demo: `losswise server` in a child process."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shlex
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from losswise.delivery.client import Client
from losswise.util.credentials import load_login, store_login
from losswise.util.locks import FileLock

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


class ServerFailed(Exception):
    """The server did not start, or has ended. The message is a sentence for the user."""


class DemoServer:
    """A `losswise server` process that runs as long as the demo, with a database of its own.

    Args:
        data_dir: folder of the database and of the demo's API key.
        host, port: address to listen on; port 0: a free one.

    Raises:
        ServerFailed: the folder cannot be written, or another demo uses it.

    Attributes:
        url: base URL, once `wait_ready` has returned.
        api_key: the demo's API key.
    """

    def __init__(self, data_dir: Path, host: str, port: int) -> None:
        self.data_dir = data_dir
        self.url = ""
        self._lock = _locked(data_dir)
        self.api_key = _demo_key(data_dir)
        self._ready = threading.Event()
        # in a process group of its own: Ctrl-C in the terminal must reach only the demo, which ends its sessions first
        self._process = subprocess.Popen(
            [*_losswise(), "server", "--host", host, "--port", str(port), "--data-dir", str(data_dir)],
            env=_environment(LW_API_KEY=self.api_key),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def wait_ready(self) -> None:
        """Wait until /healthz answers.

        Raises:
            ServerFailed: the process ended, or did not answer in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._ready.wait(0.05) or not is_healthy(self.url):
            if self._process.poll() is not None:
                raise ServerFailed("the server did not start (see its message above)")
            if time.monotonic() > deadline:
                raise ServerFailed(f"the server did not start within {START_TIMEOUT_S:.0f} s")

    def wait(self) -> None:
        """Wait until the process ends, which raises ServerFailed."""
        raise ServerFailed(f"the server ended with status {self._process.wait()}")

    def stop(self) -> None:
        """Stop the process with SIGTERM, and kill it if that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._process.kill()
            self._process.wait()
            self._lock.release()

    @property
    def link_command(self) -> str:
        """The command that prints a sign-in link of this server."""
        return shlex.join(["losswise", *self._ask])

    @property
    def _ask(self) -> list[str]:
        return ["server-admin", "sign-in-link", "--url", self.url, "--data-dir", str(self.data_dir)]

    def ask_for_link(self) -> subprocess.Popen[str]:
        """Start a process that creates a sign-in link, valid once, for `read_link`."""
        return subprocess.Popen(
            [*_losswise(), *self._ask],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def store_login(self) -> bool:
        """Store the login, for scripts of this user, unless there is one of another server.

        Returns:
            Whether it is stored.
        """
        known = load_login()
        if known is not None and known.api_key != self.api_key:
            return False
        with contextlib.suppress(OSError):
            store_login(self.url, self.api_key)
            return True
        return False

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.search(r"ready at (http://\S+)", line)
            if found:
                self.url = found[1]
                self._ready.set()


def read_link(asked: subprocess.Popen[str]) -> str:
    """Wait for the process of `ask_for_link` and return the link.

    Raises:
        ServerFailed: no link was created.
    """
    link = asked.communicate(timeout=START_TIMEOUT_S)[0].strip()
    if asked.returncode != 0 or not link:
        raise ServerFailed("no sign-in link could be created (see the message above)")
    return link


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen on this address."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError):
        return False
    return True


def is_healthy(url: str) -> bool:
    """Return whether a losswise server answers at this base URL."""
    answer = Client(url, "").get("/healthz", timeout=5.0)
    return answer.status == 200 and answer.body.get("status") == "ok"


def describe_listener(host: str, port: int) -> str:
    """Return what listens on a port, as part of a sentence."""
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if not is_healthy(url):
        return "another program"
    login = load_login()
    return "the losswise server that you are logged in to" if login and login.base_url == url else "a losswise server"


def _losswise() -> list[str]:
    return [sys.executable, "-m", "losswise"]


def _environment(**more: str) -> dict[str, str]:
    """Return this process's environment without variables that would point the demo's server to another database."""
    drop = ("LW_DATABASE_URL", "LW_DATA_DIR", "LW_API_KEY", "LW_BASE_URL")
    return {**{name: value for name, value in os.environ.items() if name not in drop}, **more}


def _locked(data_dir: Path) -> FileLock:
    """Lock the folder: only one server may write to a SQLite database."""
    lock = FileLock(data_dir / "demo.lock")
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if lock.acquire():
            return lock
    except OSError as error:
        raise _unwritable(data_dir, error) from None
    raise ServerFailed(f"another demo runs on {data_dir}: end it, or name another folder with --data-dir")


def _demo_key(data_dir: Path) -> str:
    """Return the API key of the demo, created on the first call in a file that only this user can read."""
    path = data_dir / "demo_key"
    try:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(f"lw_{secrets.token_hex(20)}")
        return path.read_text().strip()
    except OSError as error:
        raise _unwritable(data_dir, error) from None


def _unwritable(data_dir: Path, error: OSError) -> ServerFailed:
    return ServerFailed(
        f"the data folder {data_dir} cannot be written ({error.strerror}); name another with --data-dir"
    )
