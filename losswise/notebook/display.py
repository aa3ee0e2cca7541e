"""Show a session as the output of a notebook cell, and update it during the training."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from losswise.notebook.html import render
from losswise.notebook.view import GetView
from losswise.util import ipython
from losswise.util.guard import guarded, guarded_thread

UPDATE_INTERVAL_S = 1.0
# the latest ones are updated
MAX_OUTPUTS = 16
# how long the end of a cell may wait for its last points to be drawn
CELL_WRITE_TIMEOUT_S = 0.2


class _Output:
    """One output of a cell that shows a session; see `show`. `publisher` is IPython's display publisher."""

    def __init__(
        self, get_view: GetView, text: Callable[[], str], write_out: Callable[[float], object], publisher: Any
    ) -> None:
        self.get_view = get_view
        self.write_out = write_out
        self._text = text
        self._publisher = publisher
        self._id = os.urandom(16).hex()
        self._version: object = None

    def publish(self, update: bool = True) -> None:
        """Send what the session shows now, if it has changed."""
        view = self.get_view()
        if view.version == self._version:
            return
        self._version = view.version
        data = {"text/html": render(view), "text/plain": self._text()}
        self._publisher.publish(data=data, metadata={}, transient={"display_id": self._id}, update=update)


class _Outputs:
    """All outputs of this process, and the thread that updates them while one of their sessions is live."""

    def __init__(self) -> None:
        self._outputs: deque[_Output] = deque(maxlen=MAX_OUTPUTS)
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()
        self._shell: Any = None

    def add(self, output: _Output, shell: Any) -> None:
        output.publish(update=False)
        with self._lock:
            self._outputs.append(output)
        if self._shell is not shell:
            shell.events.register("post_run_cell", _after_cell)
            self._shell = shell
        self.follow(output.get_view)

    def follow(self, get_view: GetView) -> None:
        """Start the thread if an output shows this session. Does nothing in a forked child."""
        if self._process != os.getpid():
            return
        with self._lock:
            if self._thread is None and any(output.get_view == get_view for output in self._outputs):
                self._thread = guarded_thread(self._run, "losswise-notebook")
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(UPDATE_INTERVAL_S)
            was_live = self._has_live_output()
            self._draw()
            with self._lock:
                if not was_live and not self._has_live_output():
                    self._thread = None
                    return

    def _has_live_output(self) -> bool:
        return any(output.get_view().is_live for output in list(self._outputs))

    def after_cell(self) -> None:
        """Draw the points of a cell before it ends: programs that run notebooks read no output afterwards."""
        for output in list(self._outputs):
            output.write_out(CELL_WRITE_TIMEOUT_S)
        self._draw(CELL_WRITE_TIMEOUT_S)

    def _draw(self, timeout: float = -1) -> None:
        if not self._drawing.acquire(timeout=timeout):
            return
        try:
            for output in list(self._outputs):
                try:
                    output.publish()
                except Exception:  # the kernel is closing, or the output is gone
                    with self._lock:
                        self._outputs.remove(output)
        finally:
            self._drawing.release()


_outputs = _Outputs()


@guarded("showing a session")
def _after_cell(result: Any = None) -> None:
    _outputs.after_cell()


@guarded("showing a session again")
def follow(get_view: GetView) -> None:
    """Update the outputs of a session that had ended and is active again."""
    _outputs.follow(get_view)


@guarded("showing a session", default=False)
def show(get_view: GetView, text: Callable[[], str], write_out: Callable[[float], object]) -> bool:
    """Show a session as the output of the current cell, and update it while the session is live.

    Args:
        get_view: returns what the session shows now.
        text: returns the session as one line.
        write_out: writes what is recorded to the journal; called with a timeout in seconds.

    Returns:
        False if the cell's output cannot be updated: outside a notebook, or inside `%%capture`.
    """
    shell = ipython.running_shell()
    publisher = getattr(shell, "display_pub", None)
    # `%%capture` would keep each update as a separate output
    is_captured = any(kind.__name__ == "CapturingDisplayPublisher" for kind in type(publisher).__mro__)
    if get_view().curves is None or is_captured:
        return False
    _outputs.add(_Output(get_view, text, write_out, publisher), shell)
    return True
