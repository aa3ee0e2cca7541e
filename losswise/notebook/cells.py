"""End the session that a cell made when the cell runs again.

A cell with `session = losswise.Session(...)` that runs a second time leaves the first session behind: nothing can add
to it or end it, and the kernel may live for days. An exception in a cell does not end its session, since the kernel
goes on and the next cell may continue it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from losswise.util.guard import guarded, guarded_thread
from losswise.util.ipython import running_shell


class _Made(NamedTuple):
    """A session that a cell has made.

    Attributes:
        key: what the cell is known by, the same each time it runs.
        run: what tells this run from the cell's others.
    """

    key: tuple[str, str]
    run: object
    is_active: Callable[[], bool]
    done: Callable[[], None]


_made: list[_Made] = []


@guarded("looking for sessions of a cell's earlier runs")
def track(is_active: Callable[[], bool], done: Callable[[], None]) -> None:
    """Register a session that is being created, and end those that earlier runs of the same cell have made.

    Args:
        is_active: returns whether the session has not ended.
        done: ends it and waits for its delivery.
    """
    cell = _running_cell(running_shell())
    if cell is None:
        return
    new = _Made(*cell, is_active, done)
    _made[:] = [made for made in _made if made.is_active()]
    for made in [made for made in _made if made.key == new.key and made.run != new.run]:
        _made.remove(made)
        # on a thread, because it waits for the delivery; an append to the old session opens it again
        guarded_thread(made.done, "losswise-cells").start()
    _made.append(new)


def _running_cell(shell: Any) -> tuple[tuple[str, str], object] | None:
    """Return key and run of the cell that runs; None outside of one, as on a thread or in a widget's callback."""
    if shell is None or threading.current_thread() is not threading.main_thread():
        return None
    if hasattr(shell, "get_parent"):
        # a kernel: the front end's request. JupyterLab and VS Code send an id, which stays when the cell is edited
        request = shell.get_parent() or {}
        cell_id = request.get("metadata", {}).get("cellId")
        code = request.get("content", {}).get("code")
        key = ("id", cell_id) if cell_id else ("text", code)
        return (key, request.get("header", {}).get("msg_id")) if code else None
    # IPython in a terminal, which stores a cell's text before it runs it
    return ("text", shell.history_manager.input_hist_raw[-1]), shell.execution_count
