"""A JSON object of a session that records are merged into, such as its params, of a bounded size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..db.json_depth import as_text, shallow

MAX_SHORT_CHARS = 1_000  # of the text that takes the place of a value for which there is no room
REST = "…"  # the name of the note that more was left out


class BoundedMap:
    """An object and the size of its JSON, which is kept up to date rather than measured after each change.

    Args:
        stored: the object as it is stored. It is not changed.
        max_bytes: what its JSON may take. One that takes more already keeps what it has.
    """

    def __init__(self, stored: Mapping[str, Any] | None, max_bytes: int) -> None:
        self.values: dict[str, Any] = dict(shallow(stored or {}))
        self._max_bytes = max_bytes
        self._bytes = sum(_size(name, value) for name, value in self.values.items())

    def update(self, new: Mapping[str, Any]) -> bool:
        """Merge all entries; returns False, and changes nothing, if there is no room for them."""
        change = sum(self._change(name, value) for name, value in new.items())
        if change > 0 and self._bytes + change > self._max_bytes:
            return False
        self.values.update(new)
        self._bytes += change
        return True

    def update_with_cuts(self, new: Mapping[str, Any]) -> None:
        """Merge the entries. One for which there is no room becomes a short text; what is then left is noted."""
        for name, value in new.items():
            if not (self.update({name: value}) or self.update({name: _short(value)})):
                note = f"more was left out: there is room for {self._max_bytes} bytes"
                self._bytes += self._change(REST, note)
                self.values[REST] = note

    def _change(self, name: str, value: Any) -> int:
        """The bytes by which the entry makes the object larger."""
        return _size(name, value) - (_size(name, self.values[name]) if name in self.values else 0)


def _size(name: str, value: Any) -> int:
    return len(msgspec.json.encode(name)) + len(msgspec.json.encode(value)) + 2  # with a colon and a comma


def _short(value: Any) -> str:
    text = as_text(value, MAX_SHORT_CHARS)
    return text if len(text) <= MAX_SHORT_CHARS else text[: MAX_SHORT_CHARS - 1] + "…"
