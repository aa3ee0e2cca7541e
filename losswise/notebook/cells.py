"""End the session that a cell made when the cell runs again.

A cell with `session = losswise.Session(...)` that runs a second time leaves the first session behind: nothing can add
to it or end it, and the kernel may live for days. An exception in a cell does not end its session, since the kernel
goes on and the next cell may continue it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from losswise.util.guard import guarded, guarded_thread
from losswise.util.ipython import running_shell


class _Made(NamedTuple):
    cell: object
    run: int
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
    shell = running_shell()
    if shell is None:
        return
    cell, run = _current_cell(shell), shell.execution_count
    _made[:] = [made for made in _made if made.is_active()]
    for made in [made for made in _made if made.cell == cell and made.run != run]:
        _made.remove(made)
        # on a thread, because it waits for the delivery; an append to the old session opens it again
        guarded_thread(made.done, "losswise-cell-end").start()
    _made.append(_Made(cell, run, is_active, done))


def _current_cell(shell: Any) -> object:
    """Return what identifies the cell that runs: the front end's id of it, else its text."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell_id = (parent or {}).get("metadata", {}).get("cellId")
    if cell_id:
        return "id", cell_id
    history = getattr(shell.history_manager, "input_hist_raw", None)
    return "text", history[-1] if history else ""
