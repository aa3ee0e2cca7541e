"""A session's tag and tags: what its script records, and what people make of them.

A session that people have renamed shows the name that they gave it; `own_tag` keeps the script's. Of its tags it shows
the script's without those that people removed, then those that they added; `tag_edits` keeps the three apart. What a
script records later changes its own part only.

The functions take a session's row and return the columns that change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]
Columns = dict[str, Any]

ADDED, REMOVED = "added", "removed"


def given_tag(row: Row) -> str | None:
    """The name that people have given to the session; None if it has its script's."""
    return None if row["own_tag"] is None else str(row["tag"])


def with_given_tag(row: Row, tag: str | None) -> Columns:
    """Rename the session; None gives it back the script's name."""
    own = row["tag"] if row["own_tag"] is None else row["own_tag"]
    return {"tag": own, "own_tag": None} if tag is None else {"tag": tag, "own_tag": own}


def with_recorded_tag(row: Row, tag: str) -> Columns:
    return {"tag": tag} if row["own_tag"] is None else {"own_tag": tag}


def own_tags(row: Row) -> list[str]:
    """The script's tags."""
    edits = row["tag_edits"]
    return list(edits["own"] if edits else row["tags"])


def tag_states(row: Row) -> dict[str, str]:
    """ADDED or REMOVED for each tag that people have added to the script's or removed from them."""
    edits = row["tag_edits"]
    return {tag: state for state in (ADDED, REMOVED) for tag in edits.get(state, ())}


def edited_tag_states(row: Row, add: Iterable[str], remove: Iterable[str]) -> dict[str, str]:
    """The states of the tags after some more are added and removed."""
    states, own = tag_states(row), set(own_tags(row))
    for tag in add:
        if states.get(tag) == REMOVED:
            del states[tag]
        if tag not in own:
            states.setdefault(tag, ADDED)
    for tag in remove:
        if tag in own:
            states[tag] = REMOVED
        elif states.get(tag) == ADDED:
            del states[tag]
    return states


def with_tag_states(row: Row, states: Mapping[str, str]) -> Columns:
    return _columns(own_tags(row), states)


def with_recorded_tags(row: Row, tags: list[str]) -> Columns:
    return _columns(tags, tag_states(row))


def _columns(own: list[str], states: Mapping[str, str]) -> Columns:
    if not states:
        return {"tags": own, "tag_edits": {}}
    added = [tag for tag, state in states.items() if state == ADDED]
    removed = [tag for tag, state in states.items() if state == REMOVED]
    shown = [tag for tag in own if states.get(tag) != REMOVED]
    return {
        "tags": list(dict.fromkeys([*shown, *added])),
        "tag_edits": {"own": own, ADDED: added, REMOVED: removed},
    }
