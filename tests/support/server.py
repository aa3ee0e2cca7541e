"""A real server in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

ADMIN_EMAIL = "ada@example.com"
ADMIN_PASSWORD = "correct horse battery"
API_KEY = "lw_test_key_0123456789"
ENDED = (0, -getattr(signal, "SIGALRM", 0))
"""How a stopped server exits: by itself, or by the kernel's last resort, which a machine under load may need."""


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment with a home of its own and nothing that configures losswise."""
    drop = ("LW_", "BUILDKITE_", "LBR_", "GITHUB_", "XDG_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    home.mkdir(parents=True, exist_ok=True)
    # temporary files too: `losswise sync` looks for journals among them
    environ.update(HOME=str(home), USERPROFILE=str(home), TMPDIR=str(home), PYTHONUNBUFFERED="1", **more)
    return environ


class Server:
    """`losswise server` in a process. `output` holds what it printed so far."""

    def __init__(
        self,
        folder: Path,
        database_url: str | None = None,
        arguments: tuple[str, ...] = (),
        environ: dict[str, str] | None = None,
        configured: bool = True,
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.arguments = ("--data-dir", str(self.data_dir), *arguments)
        if database_url:
            self.arguments = (*self.arguments, "--database-url", database_url)
        self.database_url = database_url
        self.api_key = API_KEY
        secrets = {"LW_ADMIN_EMAIL": ADMIN_EMAIL, "LW_ADMIN_PASSWORD": ADMIN_PASSWORD, "LW_API_KEY": API_KEY}
        self.environ = clean_environment(folder / "home", **(secrets if configured else {}), **(environ or {}))
        (folder / "home").mkdir(parents=True, exist_ok=True)
        self.output = ""
        self.url = ""
        self.process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "losswise", *words]

    def start(self, port: int = 0, timeout: float = 60.0) -> Server:
        """Start and wait until it serves. Port 0 chooses a free one."""
        self._ready.clear()
        self.process = subprocess.Popen(
            self.command("server", "--port", str(port), *self.arguments),
            env=self.environ,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        if not self._ready.wait(timeout):
            raise AssertionError(f"the server did not start:\n{self.output}")
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output += line
            found = re.search(r"ready at (http://\S+)", line)
            if found:
                self.url = found[1]
            if "sign-in" in line:  # the last line of the greeting
                self._ready.set()
        self.output += f"[ended with status {process.wait()}]\n"

    def stop(self, timeout: float = 15.0) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    # HTTP

    def request(self, method: str, path: str, *, key: str | None = None, **options: Any) -> requests.Response:
        headers = {"Authorization": self.api_key if key is None else key, **options.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=30, **options)

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET that must succeed. A list as a param is repeated."""
        response = self.request("GET", path, params=params)
        assert response.status_code == 200, f"{response.status_code}: {response.text[:500]}"
        return response.json()

    def post_batch(self, session: str, records: list[dict[str, Any]], **fields: Any) -> requests.Response:
        body = {"format": 1, "session": session, "records": records, **fields}
        return self.request("POST", "/api/v2/batches", json=body)

    def session(self, session_id: str | None) -> Any:
        return self.get(f"/api/v2/sessions/{session_id}")

    def points(self, graph_id: str) -> dict[str, dict[str, list[Any]]]:
        """All raw points of a graph, page by page."""
        series: dict[str, dict[str, list[Any]]] = {}
        cursor = None
        while True:
            page = self.get(f"/api/v2/graphs/{graph_id}/points", **({"cursor": cursor} if cursor else {}))
            for name, columns in page["series"].items():
                for column, values in columns.items():
                    series.setdefault(name, {"x": [], "y": [], "t": []})[column] += values
            cursor = page["next"]
            if cursor is None:
                return series

    def project_id(self, name: str = "default") -> int:
        projects = self.get("/api/v2/projects")["projects"]
        return next(project["id"] for project in projects if project["name"] == name)

    def sign_in_link(self) -> str:
        """A new one-use link, as the person who runs the server gets it."""
        data = ["--data-dir", str(self.data_dir)]
        if "--database-url" in self.arguments:
            data += ["--database-url", self.arguments[self.arguments.index("--database-url") + 1]]
        words = self.command("server-admin", "sign-in-link", "--url", self.url, *data)
        done = subprocess.run(words, env=self.environ, cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def signed_in(self) -> requests.Session:
        """A browser-like session of the admin."""
        browser = requests.Session()
        form = {"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}
        answer = browser.post(self.url + "/login", data=form, timeout=30, allow_redirects=False)
        assert answer.status_code == 303, answer.text[:500]
        return browser


def eventually(check: Callable[[], Any], timeout: float = 20.0, every: float = 0.1) -> Any:
    """What `check` returns once it is true; its last exception or value in the failure otherwise."""
    deadline = time.monotonic() + timeout
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except (AssertionError, LookupError, TypeError, ValueError, requests.RequestException) as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"still not so after {timeout} s: {last!r}")
