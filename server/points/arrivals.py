"""Where the points of a graph are that have arrived since the latest marks, so that a rewind need not read all others.

A graph has entries [sequence number, x], oldest first: points with that sequence number or a greater one have at least
this x. For a graph whose x grows, a rewind to a mark reads little more than what it deletes. An entry is added with the
first points after a mark, and is hardly ever changed later.
"""

from __future__ import annotations

from losswise.protocol.limits import INT64_MIN

MAX_ENTRIES = 8

Entries = list[list[int]]


def add(entries: Entries, marked: int | None, lowest: int) -> Entries:
    """The entries after new points. Returns the same list if they have not changed.

    Args:
        marked: the sequence number of the first point after the newest mark; None before the first mark.
        lowest: the least x of the new points.
    """
    if marked is None:
        return entries
    if any(x > lowest for _, x in entries):
        entries = [[sequence, min(x, lowest)] for sequence, x in entries]
    if not entries or entries[-1][0] < marked:
        # any but the last may go: the one before it then stands for what came after it
        entries = [*entries[:1], *entries[1:][2 - MAX_ENTRIES :], [marked, lowest]]
    return entries


def lowest_x(entries: Entries, sequence: int) -> int:
    """A number that no point with this sequence number or a greater one has a lower x than."""
    return next((x for at, x in reversed(entries) if at <= sequence), INT64_MIN)
