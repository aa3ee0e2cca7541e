"""What the columns of the session table say of a session, as the list of sessions gives it (listing.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Session = dict[str, Any]


def ended_at(session: Session) -> float:
    """When a session ended, or was last heard of (unix seconds)."""
    return float(session["ended_at"] or session["heard_at"] or session["updated_at"])


def elapsed(session: Session, now: float) -> float:
    """Seconds since it started; of an ended session, until then."""
    end = now if session["status"] == "active" else ended_at(session)
    return max(0.0, end - float(session["created_at"]))


def done_at(session: Session) -> float | None:
    """When it ended, or is expected to end (unix seconds); None if nothing is known."""
    return session["eta"] if session["status"] == "active" else ended_at(session)


def entry_at(entries: Any, name: str) -> Any:
    """The param or value with this name, at the top or in objects in objects; None if there is none.

    >>> entry_at({"model": {"depth": 18}, "a.b": 1}, "model.depth"), entry_at({"a.b": 1}, "a.b")
    (18, 1)
    """
    if isinstance(entries, dict) and name in entries:
        return entries[name]
    for part in name.split("."):
        entries = entries.get(part) if isinstance(entries, dict) else None
    return entries


def walk(entries: Any, is_skipped: Callable[[str, str, Any], bool] = lambda *_: False) -> Iterator[tuple[str, Any]]:
    """The params or values of a session with their names, those in objects with their path. Empty objects have none.

    Args:
        is_skipped: called with the path before a name, the name, and the value: True leaves it out, with all in it.

    >>> list(walk({"lr": 0.1, "model": {"depth": 18, "name": None}}))
    [('lr', 0.1), ('model.depth', 18)]
    """
    # the objects around the next entry, each with the beginning of its names: a loop, however deep the nesting is
    items = iter(entries.items() if isinstance(entries, dict) else ())
    open_: list[tuple[str, Iterator[tuple[str, Any]]]] = [("", items)]
    while open_:
        prefix, items = open_[-1]
        name, value = next(items, (None, None))
        if name is None:
            open_.pop()
        elif is_skipped(prefix, name, value):
            continue
        elif isinstance(value, dict):
            open_.append((f"{prefix}{name}.", iter(value.items())))
        elif value is not None:
            yield prefix + name, value


def statistic(session: Session, key: str) -> Any:
    """A statistic such as "min(val_loss)"; None if there is none."""
    field, _, metric = key.removesuffix(")").partition("(")
    return session["stats"].get(metric, {}).get(field)
