"""Whose turn it is: equal shares of a thread's time for all that wait."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import TypeVar

MAX_KNOWN = 10_000

Flow = TypeVar("Flow", bound=Hashable)


class Turns:
    """Start-time fair queueing, with costs that are known afterwards.

    Each flow has used some time; the one that has used the least is next. One that has not waited for a while gets no
    credit for it: it is next at once, and then has its share like the others.

    Goyal, Vin and Cheng: Start-time Fair Queueing, SIGCOMM 1996.

    Example:
        >>> turns = Turns()
        >>> turns.charge("busy", 2.0)
        >>> turns.next_of(["busy", "idle"])
        'idle'
    """

    def __init__(self) -> None:
        self._used: dict[Hashable, float] = {}
        self._least = 0.0  # what the flow had used whose turn it was last

    def next_of(self, waiting: Collection[Flow]) -> Flow:
        """The flow whose turn it is; the first of those that have used equally much."""
        chosen = min(waiting, key=self._start)
        self._least = self._start(chosen)
        return chosen

    def charge(self, flow: Hashable, cost: float) -> None:
        """Note what the turn of a flow has cost."""
        self._used[flow] = self._start(flow) + cost
        if len(self._used) > MAX_KNOWN:
            self._used = {flow: used for flow, used in self._used.items() if used > self._least}

    def _start(self, flow: Hashable) -> float:
        return max(self._used.get(flow, 0.0), self._least)
