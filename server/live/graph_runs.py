"""Numbers of graphs, and where their new points are, in few characters: a notification has room for 8,000."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Ends = tuple[int, int]
"""The lowest and the highest x of new points."""


def runs_of(numbers: Iterable[int]) -> list[int]:
    """Numbers as [first, last, first, last, ...].

    Example:
        >>> runs_of([1, 2, 3, 7])
        [1, 3, 7, 7]
    """
    runs: list[int] = []
    for number in sorted(numbers):
        if runs and runs[-1] == number - 1:
            runs[-1] = number
        else:
            runs += [number, number]
    return runs


def numbers_of(runs: Sequence[int]) -> list[int]:
    """The reverse of `runs_of`.

    Raises:
        ValueError: it is no result of that.
    """
    if len(runs) % 2 or not all(isinstance(end, int) for end in runs):
        raise ValueError("runs have two ends each")
    return [number for first, last in zip(runs[::2], runs[1::2], strict=True) for number in range(first, last + 1)]


def pack(graphs: Mapping[int, Ends]) -> list[list[int]]:
    """{number: (lowest, highest)} as lists [lowest, highest, *runs]: graphs that log together have the same ends."""
    numbers: dict[Ends, list[int]] = defaultdict(list)
    for number, ends in graphs.items():
        numbers[tuple(ends)].append(number)  # type: ignore[index]
    return [[*ends, *runs_of(group)] for ends, group in numbers.items()]


def unpack(packed: Any) -> dict[int, Ends]:
    """The reverse of `pack`.

    Raises:
        ValueError, TypeError: it is no result of that.
    """
    return {number: (lowest, highest) for lowest, highest, *runs in packed for number in numbers_of(runs)}


def widened(graphs: Mapping[int, Ends]) -> dict[int, Ends]:
    """All graphs with the ends of all, which takes fewer characters."""
    ends = min(lowest for lowest, _ in graphs.values()), max(highest for _, highest in graphs.values())
    return dict.fromkeys(graphs, ends)
