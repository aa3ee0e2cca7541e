"""Cells of a notebook, or of IPython in a terminal, that run again: the session that they made before is ended.

`session = losswise.Session(...)` in a cell that runs a second time leaves the first session behind: nobody can add
to it or end it, and the kernel may live for days. An exception in a cell says nothing of the kind, since the
kernel goes on and the next cell may go on with the session.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from types import FrameType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

from losswise.graph import Graph
from losswise.util.guard import guarded, guarded_thread
from losswise.util.ipython import shell

if TYPE_CHECKING:
    from losswise.session import Session

SETTLED = 1.0
"""Seconds after which a new session has a name, so that the one before it can be told to be left."""
MOST = 10_000
"""Members of a list or an instance that are looked at."""

_OURS = ("losswise.session", "losswise.notebook.display", "losswise.util.guard", __name__)


class _Made(NamedTuple):
    session: Session
    cell: int


class _Cells:
    """The sessions made by cells, and the number of cells that have run."""

    def __init__(self) -> None:
        self.made: list[_Made] = []
        self.count = 0
        self.shell: Any = None


_cells = _Cells()


def watch(session: Session) -> None:
    """Called while a session is made: end it some day, if it is made at the top level of a cell."""
    running = shell()
    if running is None:
        return
    if _cells.shell is not running:
        running.events.register("post_run_cell", _after_cell)
        _cells.shell = running
    if not _is_top_level(sys._getframe(1), running.user_ns):
        return
    is_first = not _cells.made
    _cells.made.append(_Made(session, _cells.count))
    if not is_first:  # the cell may train for hours before it has run
        guarded_thread(_end_soon, "losswise-cells").start()


def _is_top_level(frame: FrameType | None, namespace: dict[str, Any]) -> bool:
    """Whether the code that calls Session(...) is a cell's own, and not a function or class in it."""
    while frame is not None and frame.f_globals.get("__name__") in _OURS:
        frame = frame.f_back
    if frame is None or frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return False
    return frame.f_locals is namespace


@guarded("looking for sessions that cells have left")
def _after_cell(result: Any = None) -> None:
    _end_left(_cells.count)
    _cells.count += 1


def _end_soon() -> None:
    time.sleep(SETTLED)
    _end_left(_cells.count)


def _end_left(cell: int) -> None:
    """End the sessions of earlier cells that no variable reaches."""
    earlier = [made.session for made in _cells.made if made.cell < cell]
    if not earlier:
        return
    held = _held(_cells.shell.user_ns, earlier)
    left = [session for session in earlier if id(session) not in held]
    _cells.made = [made for made in _cells.made if made.session not in left]
    for session in left:
        if session.status != "active":
            continue
        # in the background, for it waits for the delivery. An append by whoever holds it opens it again
        guarded_thread(session.done, "losswise-cell-end").start()


def _held(namespace: dict[str, Any], sessions: Iterable[Session]) -> set[int]:
    """The `id` of those that a variable reaches: by itself, a graph or a method of theirs, or one level inside."""
    owners = {id(session): id(session) for session in sessions}
    owners |= {id(session._outbox): id(session) for session in sessions if session._outbox is not None}
    held = set()
    for name, value in list(namespace.items()):
        if name.startswith("_") or name in ("In", "Out"):
            continue
        for thing in (value, *_inside(value)):
            if type(thing) is MethodType:
                thing = thing.__self__
            owner = owners.get(id(thing._outbox if type(thing) is Graph else thing))
            if owner is not None:
                held.add(owner)
    return held


def _inside(value: Any) -> Iterator[Any]:
    """The members of a container or an instance, without running code of theirs."""
    type_ = type(value)
    members: Iterable[Any] = ()
    if issubclass(type_, (list, tuple, set, frozenset)):
        members = next(base for base in (list, tuple, set, frozenset) if issubclass(type_, base)).__iter__(value)
    elif issubclass(type_, dict):
        members = dict.values(value)
    else:
        try:
            inner = object.__getattribute__(value, "__dict__")
        except (AttributeError, TypeError):
            return
        if type(inner) is dict:
            members = inner.values()
    yield from list(islice(members, MOST))
