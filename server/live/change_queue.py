"""Changes that wait to be sent to pages, joined per session and project, and limited in rate."""

from __future__ import annotations

from .changes import Change

MAX_DUE_TIMES = 10_000


class ChangeQueue:
    """Pending changes by session. Changes of one session join into one that leads from the first version to the last.

    A session that moves has changes in two projects, which go to different pages. They keep their order.

    Not thread-safe: the hub locks it.

    Args:
        interval_s: seconds between two changes of one session, on average: a change that comes early shortens the next
            wait.
        batch: how many changes `take` returns at most; None for all that are due.
        cost_s: seconds for which nothing is due after a change was taken, so that many sessions share a bounded rate.
    """

    def __init__(self, interval_s: float, batch: int | None = None, cost_s: float = 0.0) -> None:
        self._interval_s = interval_s
        self._batch = batch
        self._cost_s = cost_s
        self._pending: dict[tuple[int, int], Change] = {}  # by session and project
        self._due_at: dict[int, float] = {}
        self._resumes_at = 0.0

    def add(self, change: Change) -> None:
        place = (change.session_key, change.project)
        known = self._pending.get(place)
        if known is None:
            self._pending[place] = change.copy()
        else:
            known.join(change)

    def postpone(self, session_key: int, until: float) -> None:
        """Hold back the session's changes until this time (time.monotonic)."""
        self._due_at[session_key] = until

    def take(self, now: float) -> list[Change]:
        """Remove and return the changes that are due, the oldest first."""
        if now < self._resumes_at:
            return []
        due = [place for place in self._pending if self._due_at.get(place[0], 0.0) <= now][: self._batch]
        for key in {key for key, _ in due}:
            self._due_at[key] = max(self._due_at.get(key, 0.0), now - self._interval_s) + self._interval_s
        self._resumes_at = now + len(due) * self._cost_s
        if len(self._due_at) > MAX_DUE_TIMES:
            self._due_at = {key: at for key, at in self._due_at.items() if at > now}
        return [self._pending.pop(place) for place in due]

    def next_due_at(self, now: float) -> float | None:
        """Return when the next change is due, at `now` at the earliest; None if nothing is pending."""
        if not self._pending:
            return None
        return max(self._resumes_at, now, min(self._due_at.get(key, now) for key, _ in self._pending))
