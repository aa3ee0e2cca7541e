"""Run a production WSGI server: gunicorn with threads, or waitress on systems without fork."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask

from .. import create_app
from ..config import Settings
from ..db.engine import cancel_statements
from ..live.hub import hub
from ..maintenance.bests import best_task
from ..maintenance.emptying import empty_bin_task
from ..maintenance.purge import purge_task
from ..maintenance.removals import forget_task
from ..maintenance.silence import mark_stale_task

REQUEST_THREADS = 64  # beside those of live streams, each of which holds a thread
MAX_STREAMS = 200
MAX_WAITRESS_STREAMS = 48
# A thread that waits for the interpreter gets it after this time. Python's 5 ms add up: a small request that asks the
# database twenty times would take 100 ms longer while another thread applies a large batch.
SWITCH_INTERVAL_S = 0.001
# After SIGTERM: requests may finish, then the statements that PostgreSQL still executes for them are cancelled, then
# gunicorn kills the workers. Whatever hangs, the kernel ends each process at last.
CANCEL_AFTER_S = 2
SHUTDOWN_TIMEOUT_S = 4
KILL_AFTER_S = 9


def serve(settings: Settings, listener: socket.socket, *, workers: int, on_ready: Callable[[], None]) -> None:
    """Serve on a bound socket until SIGTERM or Ctrl-C. `on_ready` is called once requests are accepted."""
    if hasattr(os, "fork"):
        _serve_gunicorn(settings, listener, workers, on_ready)
    else:
        _serve_waitress(settings, listener, on_ready)


def _worker_app(settings: Settings, streams: int) -> Flask:
    """The application of one worker process, with its background threads started (after the fork)."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    app = create_app(settings, LIVE_STREAMS=streams)
    mark_stale_task.start(app)
    purge_task.start(app)
    empty_bin_task.start(app)
    forget_task.start(app)
    best_task.start(app)
    return app


def _serve_gunicorn(settings: Settings, listener: socket.socket, workers: int, on_ready: Callable[[], None]) -> None:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):
        def load_config(self) -> None:
            options = {
                "bind": f"fd://{listener.fileno()}",
                "workers": workers,
                "worker_class": "gthread",
                "threads": MAX_STREAMS + REQUEST_THREADS,
                "worker_connections": 2_000,
                "limit_request_line": 8190,  # gunicorn's maximum, and as much as nginx passes on
                "keepalive": 75,
                "graceful_timeout": SHUTDOWN_TIMEOUT_S,
                "timeout": 120,
                "loglevel": "warning",
                "accesslog": None,
                "control_socket_disable": True,  # it would create a file in the home folder
                "when_ready": lambda _server: _begin(on_ready),
                "post_worker_init": lambda _worker: _on_exit(_stop_worker),
            }
            for name, value in options.items():
                if name in self.cfg.settings:  # an older gunicorn has no control socket to disable
                    self.cfg.set(name, value)

        def load(self) -> Any:
            return _worker_app(settings, MAX_STREAMS)

    Application().run()


def _begin(on_ready: Callable[[], None]) -> None:
    _on_exit(_end_for_certain)
    on_ready()


def _on_exit(stop: Callable[[], None]) -> None:
    """Call `stop` on the signals that end the server, before gunicorn's own handlers."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        before = signal.getsignal(number)

        def handle(signum: int, frame: Any, before: Any = before) -> None:
            stop()
            if callable(before):
                before(signum, frame)

        signal.signal(number, handle)


def _end_for_certain() -> None:
    """Have the kernel end this process (SIGALRM), in case that it does not end by itself."""
    signal.alarm(KILL_AFTER_S)


def _stop_worker() -> None:
    """Close live streams, for which the worker would wait until it is killed, and cancel statements that take long."""
    _end_for_certain()
    hub.close()
    timer = threading.Timer(CANCEL_AFTER_S, cancel_statements)
    timer.daemon = True
    timer.start()


def _serve_waitress(settings: Settings, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    import waitress

    app = _worker_app(settings, MAX_WAITRESS_STREAMS)
    server = waitress.create_server(app, sockets=[listener], threads=MAX_WAITRESS_STREAMS + REQUEST_THREADS)
    on_ready()
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        hub.close()
        server.close()
