"""Changes that wait to be sent to pages, joined per session and project, and limited in rate."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Collection

from .changes import Change

MAX_DUE_TIMES = 10_000

Place = tuple[int, int]
"""A session's key, and a project: a session that moves has changes in two, which go to different pages."""


class ChangeQueue:
    """Pending changes by session. Changes of one session join into one that leads from the first version to the last.

    Not thread-safe: the hub locks it.

    Args:
        interval_s: seconds between two changes of one session, on average: a change that comes early shortens the next
            wait.
        cost_s: seconds for which nothing is due after a change was taken, so that many sessions share a bounded rate.
    """

    def __init__(self, interval_s: float, cost_s: float = 0.0) -> None:
        self._interval_s = interval_s
        self._cost_s = cost_s
        self._pending: dict[Place, Change] = {}
        self._later: list[tuple[float, int, Place]] = []  # a heap: when a place is due, and its number
        self._due: dict[int, deque[Place]] = {}  # by project
        self._numbers = itertools.count()
        self._due_at: dict[int, float] = {}
        self._resumes_at = 0.0

    def add(self, change: Change) -> None:
        place = (change.session_key, change.project)
        known = self._pending.get(place)
        if known is None:
            self._pending[place] = change.copy()
            self._push(place)
        else:
            known.join(change)

    def postpone(self, session_key: int, until: float) -> None:
        """Hold back the session's changes until this time (time.monotonic), those that are due already excepted."""
        self._due_at[session_key] = max(until, self._due_at.get(session_key, 0.0))

    def projects(self, now: float) -> Collection[int]:
        """The projects with sessions whose changes are due."""
        if now < self._resumes_at:
            return ()
        while self._later and self._later[0][0] <= now:
            _, _, place = heapq.heappop(self._later)
            if self._due_at.get(place[0], 0.0) > now:  # it has been postponed
                self._push(place)
            else:
                self._due.setdefault(place[1], deque()).append(place)
        return self._due.keys()

    def take(self, project: int, now: float) -> Change:
        """Remove and return the oldest of the project's changes that are due."""
        places = self._due[project]
        place = places.popleft()
        if not places:
            del self._due[project]
        key = place[0]
        self._due_at[key] = max(self._due_at.get(key, 0.0), now - self._interval_s) + self._interval_s
        if len(self._due_at) > MAX_DUE_TIMES:
            self._due_at = {key: at for key, at in self._due_at.items() if at > now}
        self._resumes_at = now + self._cost_s
        return self._pending.pop(place)

    def next_due_at(self, now: float) -> float | None:
        """Return when the next change is due, at `now` at the earliest; None if nothing is pending."""
        if self._due:
            return max(self._resumes_at, now)
        return max(self._resumes_at, now, self._later[0][0]) if self._later else None

    def _push(self, place: Place) -> None:
        heapq.heappush(self._later, (self._due_at.get(place[0], 0.0), next(self._numbers), place))
