"""The demo from its first line to Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import webbrowser
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

from losswise.demo.server import DemoServer, ServerFailed, is_free, read_link, who_is_at
from losswise.lifecycle import open_sessions
from losswise.lifecycle.outcome import outcome_of
from losswise.util.paths import data_folder

FRAMEWORKS = ("numpy", "keras", "lightning")
KERAS_BACKENDS = ("torch", "jax", "tensorflow")
AGAIN = 1.0
"""Seconds after which a signal is another one."""


def run(argv: Sequence[str]) -> int:
    """Run the demo; returns the exit status, as `losswise.demo.main` says."""
    arguments = _parser().parse_args(argv)
    missing = missing_packages(arguments.framework)
    if missing:
        _complain(missing)
        return 2
    try:
        with Interrupts() as interrupts:
            return _run(arguments, interrupts)
    except ServerFailed as error:
        _complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def missing_packages(framework: str) -> str | None:
    """A sentence that says what to install, or None where all is there. Chooses Keras' backend."""
    needed = {"flask": "flask", "sklearn": "scikit-learn"}
    extra = "demo"
    if framework == "keras":
        needed["keras"] = "keras"
        extra = "demo,keras"
    if framework == "lightning" and not _is_installed("lightning"):
        needed["pytorch_lightning"] = "pytorch-lightning"
        extra = "demo,lightning"
    absent = [package for module, package in needed.items() if not _is_installed(module)]
    if absent:
        return f"the demo needs {' and '.join(absent)}: pip install 'losswise[{extra}]'"
    if framework == "keras" and not os.environ.get("KERAS_BACKEND"):
        backend = next((name for name in KERAS_BACKENDS if _is_installed(name)), None)
        if backend is None:
            return f"Keras needs a backend, one of {', '.join(KERAS_BACKENDS)}: pip install torch"
        os.environ["KERAS_BACKEND"] = backend
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="losswise demo",
        description="Start a server, train a small model several times, and watch it in the browser.",
    )
    parser.add_argument("--framework", choices=FRAMEWORKS, default="numpy", help="what trains (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=3000, help="port to listen on (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, help=f"the demo's own data (default: {_data_dir()})")
    parser.add_argument("--seconds", type=float, default=75.0, help="how long to train (default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="print the sign-in link, open nothing")
    return parser


def _run(arguments: argparse.Namespace, interrupts: Interrupts) -> int:
    data_dir = (arguments.data_dir or _data_dir()).expanduser().absolute()
    port = _chosen_port(arguments.host, arguments.port)
    _tell(f"Losswise demo: a server with its data in {data_dir}, and a small model that learns to read digits")
    server = DemoServer(data_dir, arguments.host, port)
    try:
        interrupts.come()
        os.environ["LW_JOURNAL_DIR"] = str(data_dir / "journals")  # what is left is the demo's, and no other server's
        server.wait_ready()
        asked = server.ask_for_link()
        train, data = _prepared(arguments.framework)
        link = read_link(asked)
        stored = server.store_login()
        _tell(f"\n  Open {link}\n")
        _tell(f"  (it signs you in once; for another one: {server.link_command})")
        if stored:
            _tell("  (scripts on this machine find this server by themselves)")
        if not arguments.no_browser:
            _open_browser(link)
        _tell(f"Training with {arguments.framework}, about {arguments.seconds:.0f} s. Ctrl-C ends it.")
        try:
            train(data, {"base_url": server.url, "api_key": server.api_key, "group": "digits"}, arguments.seconds)
        except SystemExit:  # what Lightning makes of Ctrl-C
            raise KeyboardInterrupt from None
        _tell(f"The training is complete. The server goes on at {server.url}; Ctrl-C ends it.")
        try:
            server.wait()
        except KeyboardInterrupt:
            return 0
        return 0
    except BaseException as error:
        outcome = outcome_of(error)
        interrupts.wait()
        open_sessions.end_all(lambda session: outcome)  # while the server is there to hear of it
        raise
    finally:
        interrupts.wait()
        _tell("Ending the server.")
        server.stop()


def _prepared(framework: str) -> tuple[Callable[..., None], Any]:
    """The function that trains, and its data; while the sign-in link is being made."""
    from losswise.demo.digits import load_digits

    return import_module(f"losswise.demo.with_{framework}").train, load_digits()


def _chosen_port(host: str, port: int) -> int:
    """The port where it is free, else 0, which finds one."""
    if port == 0 or is_free(host, port):
        return port
    _tell(f"Port {port} is taken by {who_is_at(host, port)}, so the demo's own server takes a free one.")
    return 0


class Interrupts:
    """Ctrl-C, SIGTERM and a closed terminal, which all end the demo as Ctrl-C does: once, by a KeyboardInterrupt.

    Nothing interrupts the start of the server, so that it never stays behind, nor the end of the demo, in which the
    sessions are delivered before the server ends. A second signal soon after the first, such as that of a program
    which passes Ctrl-C on to a process that has had it, is passed over.

    Example:
        >>> with Interrupts() as interrupts:
        ...     interrupts.come()
        ...     interrupts.wait()
    """

    def __init__(self) -> None:
        self._may_come = False
        self._is_due = False
        self._came_at = -AGAIN
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # SIGINT too: a shell that starts the demo in the background has it ignored, and then Python leaves it so
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
        taken = [number for number in numbers if number not in ignored or number != getattr(signal, "SIGHUP", None)]
        self._before = {number: signal.signal(number, self._on_signal) for number in taken}  # SIGHUP: nohup
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def come(self) -> None:
        """From here on a signal interrupts, as does one that has come before."""
        self._may_come = True
        if self._is_due:
            self._interrupt()

    def wait(self) -> None:
        """From here on no signal interrupts."""
        self._may_come = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_due = True
        # a later one counts: Python drops an exception that comes in a callback of the garbage collector
        if self._may_come and time.monotonic() - self._came_at > AGAIN:
            self._interrupt()

    def _interrupt(self) -> None:
        self._came_at = time.monotonic()
        raise KeyboardInterrupt


def _open_browser(link: str) -> None:
    has_desktop = sys.platform in ("win32", "darwin") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if has_desktop:
        webbrowser.open(link)


def _data_dir() -> Path:
    return data_folder() / "demo"


def _is_installed(module: str) -> bool:
    return find_spec(module) is not None


def _tell(line: str) -> None:
    print(line, flush=True)


def _complain(sentence: str) -> None:
    print(f"losswise demo: {sentence}", file=sys.stderr)
