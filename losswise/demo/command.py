"""Run the demo: start the server, print the sign-in link, train, and serve until Ctrl-C."""

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

from losswise.demo.server import DemoServer, ServerFailed, describe_listener, is_free, read_link
from losswise.lifecycle import open_sessions
from losswise.lifecycle.outcome import outcome_of
from losswise.util.paths import data_folder

FRAMEWORKS = ("numpy", "keras", "lightning")
KERAS_BACKENDS = ("torch", "jax", "tensorflow")
SIGNAL_GAP_S = 1.0  # a second signal within this time is a copy of the first


def run(argv: Sequence[str]) -> int:
    """Run the demo and return its exit status, see `losswise.demo.main`."""
    arguments = _parser().parse_args(argv)
    missing = missing_packages(arguments.framework)
    if missing:
        _print_error(missing)
        return 2
    try:
        with Interrupts() as interrupts:
            return _run(arguments, interrupts)
    except ServerFailed as error:
        _print_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def missing_packages(framework: str) -> str | None:
    """Return a sentence that says what to install; None if nothing is missing. Sets KERAS_BACKEND if it is not set."""
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
    _print(f"Losswise demo: a server with its data in {data_dir}, and a small model that learns to read digits")
    server = DemoServer(data_dir, arguments.host, port)
    try:
        interrupts.allow()
        # records that are left undelivered belong to the demo's server and must not be sent to another
        os.environ["LW_JOURNAL_DIR"] = str(data_dir / "journals")
        server.wait_ready()
        asked = server.ask_for_link()
        train, data = _prepared(arguments.framework)
        link = read_link(asked)
        stored = server.store_login()
        _print(f"\n  Open {link}\n")
        _print(f"  (it signs you in once; for another one: {server.link_command})")
        if stored:
            _print("  (scripts on this machine now send to this server)")
        if not arguments.no_browser:
            _open_browser(link)
        _print(f"Training with {arguments.framework}, about {arguments.seconds:.0f} s. Ctrl-C stops it.")
        try:
            train(data, {"base_url": server.url, "api_key": server.api_key, "group": "digits"}, arguments.seconds)
        except SystemExit:  # Lightning turns Ctrl-C into it
            raise KeyboardInterrupt from None
        _print(f"The training is complete. The server keeps running at {server.url}; Ctrl-C stops it.")
        try:
            server.wait()
        except KeyboardInterrupt:
            return 0
        return 0
    except BaseException as error:
        outcome = outcome_of(error)
        interrupts.block()
        open_sessions.end_all(lambda session: outcome)  # before the server stops
        raise
    finally:
        interrupts.block()
        _print("Stopping the server.")
        server.stop()


def _prepared(framework: str) -> tuple[Callable[..., None], Any]:
    """Return the function that trains, and its data. Importing them takes as long as the sign-in link does."""
    from losswise.demo.digits import load_digits

    return import_module(f"losswise.demo.with_{framework}").train, load_digits()


def _chosen_port(host: str, port: int) -> int:
    """Return the port if it is free, else 0, which lets the system choose one."""
    if port == 0 or is_free(host, port):
        return port
    _print(f"Port {port} is taken by {describe_listener(host, port)}, so the demo uses a free one.")
    return 0


class Interrupts:
    """Turn Ctrl-C, SIGTERM and a closed terminal into one KeyboardInterrupt, at a time when it does no harm.

    The start of the server cannot be interrupted, so that no server process is left behind, nor can the end of the
    demo, which delivers the sessions before it stops the server. A second signal soon after the first is ignored: some
    programs pass Ctrl-C on to a process that has received it from the terminal already.

    Example:
        >>> with Interrupts() as interrupts:
        ...     interrupts.allow()
        ...     interrupts.block()
    """

    def __init__(self) -> None:
        self._is_allowed = False
        self._is_due = False
        self._came_at = -SIGNAL_GAP_S
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        # A shell that starts the demo in the background makes it ignore SIGINT, which Python leaves so: handle it
        # An ignored SIGHUP stays ignored: it means `nohup`
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        ignored = [number for number in numbers if signal.getsignal(number) is signal.SIG_IGN]
        taken = [number for number in numbers if number not in ignored or number != getattr(signal, "SIGHUP", None)]
        self._before = {number: signal.signal(number, self._on_signal) for number in taken}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def allow(self) -> None:
        """From now on a signal raises KeyboardInterrupt. One that came before does so at once."""
        self._is_allowed = True
        if self._is_due:
            self._interrupt()

    def block(self) -> None:
        """From now on signals raise nothing."""
        self._is_allowed = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._is_due = True
        # later signals count as well: Python drops an exception raised in a callback of the garbage collector
        if self._is_allowed and time.monotonic() - self._came_at > SIGNAL_GAP_S:
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


def _print(line: str) -> None:
    print(line, flush=True)


def _print_error(sentence: str) -> None:
    print(f"losswise demo: {sentence}", file=sys.stderr)
