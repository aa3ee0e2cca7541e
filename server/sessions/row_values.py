"""What the columns of the session table say of a session, as the list of sessions gives it (listing.py)."""

from __future__ import annotations

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


def statistic(session: Session, key: str) -> Any:
    """A statistic such as "min(val_loss)"; None if there is none."""
    field, _, metric = key.removesuffix(")").partition("(")
    return session["stats"].get(metric, {}).get(field)
