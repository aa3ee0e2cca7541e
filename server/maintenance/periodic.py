"""Work that any worker does now and then, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Flask

from ..db.outages import Spell


class Chore:
    """`work` is called at the start, every `every` seconds, and soon after `nudge`; `failing` is how the log
    begins when it fails.

    Every worker has the thread. What must not be done twice at once takes an advisory lock that is tried, within
    the transaction: the lock of a worker that dies is free again, and another one gets it next time.
    """

    def __init__(self, name: str, every: float, work: Callable[[], object], failing: str) -> None:
        self.name = name
        self.every = every
        self.work = work
        self.failing = failing
        self._spell = Spell(failing)
        self._nudged = threading.Event()

    def start(self, app: Flask) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(app,), name=self.name, daemon=True)
        thread.start()
        return thread

    def nudge(self) -> None:
        self._nudged.set()

    def _run(self, app: Flask) -> None:
        while True:
            try:
                with app.app_context():
                    self.work()
                self._spell.well(app.logger)
            except Exception as error:  # whatever it was: nobody else in this process would do the work
                self._spell.failed(app.logger, error)
            self._nudged.wait(self.every)
            self._nudged.clear()
