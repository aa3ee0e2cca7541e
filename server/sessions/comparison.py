"""Sessions side by side: what differs between them, and which is the best in what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from .row_values import Session, entry_at, walk

MAX_SESSIONS = 20
MAX_ROWS = 2_000
HIGHER = "max"
MISSING = object()


class Comparison(NamedTuple):
    """One param, value or statistic of all sessions.

    Attributes:
        name: a path such as "optimizer.name", or a statistic such as "min(val_loss)".
        values: of each session; MISSING where it has none.
        best: which of the sessions have the best value; empty if there is no better and worse.
        changes: of each session, the change from the first one as a fraction of it, None where that has no meaning.
    """

    name: str
    values: list[Any]
    best: frozenset[int] = frozenset()
    changes: Sequence[float | None] = ()

    @property
    def differs(self) -> bool:
        return any(value is MISSING for value in self.values) or any(
            not _are_equal(value, self.values[0]) for value in self.values
        )


def compare_params(sessions: Sequence[Session]) -> list[Comparison]:
    """The params that any of the sessions has, those in objects one by one, in the order of the names."""
    return _compare_entries([session["params"] for session in sessions])


def compare_values(sessions: Sequence[Session]) -> list[Comparison]:
    """The values that any of the sessions has, as `compare_params`."""
    return _compare_entries([session["values"] for session in sessions])


def compare_statistics(sessions: Sequence[Session]) -> list[Comparison]:
    """For each metric its minimum or maximum, if the graph says which is the best, and its last value."""
    kinds = dict(kind for session in sessions for kind in _kinds(session))
    found = []
    for metric, kind in kinds.items():
        for field in (kind, "last") if kind else ("last",):
            values = [_statistic(session, metric, field) for session in sessions]
            found.append(_measured(f"{field}({metric})", values, kind))
    return found[:MAX_ROWS]


def _compare_entries(all_entries: Sequence[Any]) -> list[Comparison]:
    names = {name for entries in all_entries for name, _ in walk(entries)}
    return [
        Comparison(name, [_present(entry_at(entries, name)) for entries in all_entries])
        for name in sorted(names)[:MAX_ROWS]
    ]


def _present(value: Any) -> Any:
    return MISSING if value is None else value


def _kinds(session: Session) -> Iterator[tuple[str, str | None]]:
    """Each metric's name among the session's statistics, with which of its values is the best: "min", "max" or None."""
    for graph in session["graphs"]:
        for name in graph["names"]:
            long = f"{graph['title']}/{name}"
            yield long if long in session["stats"] else name, graph["kind"]


def _statistic(session: Session, metric: str, field: str) -> Any:
    return _present(session["stats"].get(metric, {}).get(field))


def _measured(name: str, values: list[Any], kind: str | None) -> Comparison:
    numbers = {at: value for at, value in enumerate(values) if _is_number(value)}
    choose: Callable[..., Any] = max if kind == HIGHER else min
    best = choose(numbers.values()) if kind and len(numbers) > 1 else None
    first = numbers.get(0)
    return Comparison(
        name,
        values,
        frozenset(at for at, value in numbers.items() if value == best),
        [(numbers[at] - first) / abs(first) if first and at in numbers and at else None for at in range(len(values))],
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same; numbers as numbers, but True is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
