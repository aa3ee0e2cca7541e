"""What the benchmarks share: processes to measure in, runs that take turns, servers.

`requests` comes with tests.support.server and is imported in the functions that need it: a measured process
imports this module, too.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.database.postgres import OwnPostgres
    from tests.support.server import Server

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 900.0
"""Seconds that one call in a child may take."""

DISABLED = {"LW_MODE": "disabled"}
API_KEY = "lw_bench_key_0123456789"

Result = dict[str, Any]


def say(sentence: str) -> None:
    print(f"== {sentence}", file=sys.stderr, flush=True)


class Child:
    """A process that runs one function, `module:function` of this folder, each time it is called.

    Example:
        >>> with Child("benchmarks.append:losswise", folder) as child:
        ...     result = child.call(calls=1_000)
    """

    def __init__(self, target: str, folder: Path, **environ: str) -> None:
        from tests.support.server import clean_environment

        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environ = clean_environment(folder, LW_JOURNAL_DIR=str(folder / "journals"), **environ)
        self._target = target
        self._errors = open(folder / "stderr", "w+")  # noqa: SIM115 - closed in close
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.support.child", target],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def call(self, **options: Any) -> Result:
        """Run the function. Raises RuntimeError where it fails, or where the client in it did."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        timer = threading.Timer(LIMIT, self._process.kill)
        timer.start()
        try:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(options) + "\n")
                self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            self._process.wait(10)
            raise RuntimeError(f"{self._target} ended with {self._process.returncode}:\n{self.said()[-3000:]}")
        if "an error while" in self.said():  # a client that gave up is fast
            raise RuntimeError(f"{self._target}: {self.said()[-1000:]}")
        result: Result = json.loads(line)
        return result

    def said(self) -> str:
        """What it printed as errors so far."""
        return Path(self._errors.name).read_text()

    def close(self, patience: float = 20.0) -> None:
        """End its input, and it where it does not end by itself within so many seconds."""
        if self._errors.closed:
            return
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(0.0 if error else 20.0)


def in_child(target: str, options: Mapping[str, Any], environ: Mapping[str, str], patience: float = 20.0) -> Result:
    """Run a function once in a process and a folder of its own, and give it so many seconds to end."""
    with temporary_folder() as folder:
        with Child(target, folder, **environ) as child:
            result = child.call(**options)
            child.close(patience)
            return result


def interleaved(title: str, cases: Mapping[str, Callable[[], Result]], repeats: int) -> dict[str, list[Result]]:
    """Run the cases in turn, A B C A B C ..., so that what the machine does meanwhile meets all alike."""
    results: dict[str, list[Result]] = {name: [] for name in cases}
    for number in range(repeats):
        for name, case in cases.items():
            say(f"{title}: {name}, {number + 1} of {repeats}")
            results[name].append(case())
    return results


def column(results: list[Result], key: str, scale: float = 1.0) -> list[float]:
    """One number of each run."""
    return [result[key] * scale for result in results]


def differences(ours: list[float], base: list[float]) -> list[float]:
    """Ours over the baseline, turn by turn."""
    return [mine - other for mine, other in zip(ours, base, strict=True)]


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="losswise-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextlib.contextmanager
def running_server(port: int = 0, database_url: str | None = None, arguments: tuple[str, ...] = ()) -> Iterator[Server]:
    """A real server on 127.0.0.1 with a new SQLite database, or on another."""
    from tests.support.server import Server

    with temporary_folder() as folder:
        server = Server(folder, database_url, arguments=arguments)
        try:
            yield server.start(port)
        finally:
            if server.process is not None and server.process.poll() is None:
                server.kill()


@contextlib.contextmanager
def running_postgres() -> Iterator[OwnPostgres]:
    """A PostgreSQL of the benchmark's own."""
    from tests.support.database.postgres import OwnPostgres

    with temporary_folder() as folder:
        postgres = OwnPostgres(folder / "postgres")
        try:
            yield postgres
        finally:
            postgres.stop()


def processor_time(*roots: int) -> float:
    """Seconds of processor that these processes and all that they started have taken so far."""
    import psutil

    seconds = 0.0
    for root in roots:
        process = psutil.Process(root)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                seconds += times.user + times.system + times.children_user + times.children_system
    return seconds


def reaching(server: Server) -> dict[str, str]:
    """Environment of a script that sends there."""
    return {"LW_BASE_URL": server.url, "LW_API_KEY": server.api_key}


def environ_without_server() -> dict[str, str]:
    """Environment of a script whose server is down: nothing listens at the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {"LW_BASE_URL": f"http://127.0.0.1:{port}", "LW_API_KEY": API_KEY}
