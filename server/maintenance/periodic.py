"""Background work that any worker may do, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask

from ..db.outages import OutageLogger


class PeriodicTask:
    """Calls a function at the start, then at an interval, and soon after each `wake`.

    Every worker process runs the thread. A function that must not run twice at once takes an advisory lock within its
    transaction (db.engine.try_advisory_lock) and does nothing if it does not get it.

    Args:
        name: the thread's name.
        interval_s: seconds between two calls.
        work: called within an application context.
        failing: how the log line begins that says that `work` raised an exception.
    """

    def __init__(self, name: str, interval_s: float, work: Callable[[], object], failing: str) -> None:
        self.name = name
        self.interval_s = interval_s
        self.work = work
        self.failing = failing
        self._outage_logger = OutageLogger(failing)
        self._woken = threading.Event()

    def start(self, app: Flask) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(app,), name=self.name, daemon=True)
        thread.start()
        return thread

    def wake(self) -> None:
        """Call the function now rather than at the end of the interval."""
        self._woken.set()

    def _run(self, app: Flask) -> None:
        while True:
            try:
                with app.app_context():
                    self.work()
                self._outage_logger.recovered(app.logger)
            except Exception as error:  # any: the thread must go on, since nothing restarts it
                self._outage_logger.failed(app.logger, error)
            self._woken.wait(self.interval_s)
            self._woken.clear()
