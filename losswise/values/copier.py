"""Copy nested containers as plain JSON within a budget, and cut what is beyond it."""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from itertools import islice
from json.encoder import encode_basestring_ascii
from typing import Any

from losswise.protocol.limits import INT64_MAX, INT64_MIN, MAX_NAME_LENGTH
from losswise.protocol.records import encode_number
from losswise.util.unreliable import PASSED_ON, type_name
from losswise.values.containers import Contents, contents_of
from losswise.values.leaves import size_of
from losswise.values.texts import MAX_INT_BITS, MAX_TEXT_LENGTH, describe, to_name, to_text

MAX_DEPTH = 20  # nested containers
CUT = "[cut by losswise]"  # the key of a note in the place of entries that were left out

# Where a container is cut, entries of up to this size come first, so that a large one does not displace its neighbours
SMALL_BYTES = 1024
SMALL_SHARE = 16  # ... or of up to a sixteenth of what the container has, if that is less
NOTE_BYTES = 300
MAX_NOTED_KEYS = 5
MAX_NOTED_KEY_LENGTH = 40
FLOAT_BYTES = 20
CONTAINER_BYTES = 20  # more than its brackets, because it takes as much time and memory as this
ENTRY_BYTES = 2  # the least that an entry takes


class Full(BaseException):
    """The budget is used up. Not an Exception, so that nothing in between takes it for an error of a value."""


class Copier:
    """Copies one value.

    Args:
        budget: bytes of JSON, about.
        leaf: converts what is neither a container nor plain JSON.
    """

    def __init__(self, budget: int, leaf: Callable[[Any], Any]) -> None:
        self._left = budget  # `Full` is raised once this is negative
        self._leaf = leaf
        self._around: set[int] = set()  # ids of the containers around the value

    def copy(self, value: Any, depth: int = 0) -> Any:
        """Copy a value that `depth` containers are around.

        Raises:
            Full: it does not fit.
            BaseException: whatever reading the value raises.
        """
        kind = type(value)
        if kind is float:
            self._left -= FLOAT_BYTES
            return value if math.isfinite(value) else encode_number(value)
        if kind is str:
            return self._text(value)
        if kind is bool or value is None:
            self._left -= 6
            return value
        if kind is int and INT64_MIN <= value <= INT64_MAX:
            self._left -= 2 + value.bit_length() // 3
            return value
        contents = None if kind is int else contents_of(value, self._left // ENTRY_BYTES + 1)
        if contents is not None:
            return self._in_container(value, contents, depth, self._entries)
        plain = self._plain(value)
        if type(plain) is list:  # the elements of an array
            return self.copy(plain, depth)
        if type(plain) is str:
            return self._text(plain)
        self._left -= FLOAT_BYTES * (size_of(plain) or 1)
        return plain

    def _plain(self, value: Any) -> Any:
        """Convert what is not a container."""
        kind = type(value)
        if issubclass(kind, str):
            return str.__str__(value)
        if issubclass(kind, float):
            return encode_number(float.__float__(value))
        if not issubclass(kind, int):
            return self._leaf(value)
        return int.__int__(value) if int.bit_length(value) <= MAX_INT_BITS else describe(value)

    def _text(self, text: str) -> str:
        if min(len(text), MAX_TEXT_LENGTH) > self._left:
            raise Full
        if len(text) <= MAX_TEXT_LENGTH and text.isascii() and text.isprintable():
            self._left -= len(text) + 3
            return text
        text = to_text(text)
        self._left -= len(encode_basestring_ascii(text)) + 1
        return text

    def _in_container(self, value: Any, contents: Any, depth: int, read: Callable[[Contents, int], Any]) -> Any:
        """Return `read(contents, depth + 1)`, unless the container contains itself or is nested too deeply."""
        if type(contents) is not Contents:  # it cannot be read
            return self._text(str(contents))
        if depth >= MAX_DEPTH:
            return self._text(f"<{type_name(value)}: more than {MAX_DEPTH} levels deep>")
        identity = id(value)
        if identity in self._around:
            return self._text("{...}" if contents.is_mapping else "[...]")
        self._around.add(identity)
        self._left -= CONTAINER_BYTES
        try:
            return read(contents, depth + 1)
        finally:
            self._around.discard(identity)

    def _entries(self, contents: Contents, depth: int) -> Any:
        if len(contents.entries) < contents.total:
            raise Full
        if not contents.is_mapping:
            elements = [self._entry(value, depth) for value in contents.entries]
            return sorted(elements, key=repr) if contents.is_set else elements
        plain: dict[str, Any] = {}
        numbers: dict[str, int] = {}
        for key, value in contents.entries:
            # nearly all keys need no conversion
            if type(key) is str and key.isidentifier() and key.isascii() and len(key) <= MAX_NAME_LENGTH:
                self._left -= len(key) + 4
                name = key if key not in plain else self._key(key, plain, numbers)
            else:
                name = self._key(key, plain, numbers)
            plain[name] = self._entry(value, depth)
        return plain

    def _entry(self, value: Any, depth: int) -> Any:
        """Copy one entry of a container. If that raises, the entry becomes text that says so."""
        try:
            plain = self.copy(value, depth)
        except (Full, *PASSED_ON):
            raise
        except BaseException as error:
            plain = self._text(f"<{type_name(error)}>")
        if self._left < 0:
            raise Full
        return plain

    def _key(self, key: Any, others: Container[Any], numbers: dict[str, int]) -> str:
        """Return a key as text, which differs from the others even where two keys have the same text.

        Args:
            numbers: of the container: the last number given to keys with the same text, by this text.
        """
        name = plain = to_name(key)
        while name in others:
            number = numbers[plain] = numbers.get(plain, 1) + 1
            name = to_name(f"{plain} ({number})")
        self._left -= len(name) + 4
        return name

    # what does not fit

    def cut(self, value: Any, budget: int, depth: int = 0) -> Any:
        """Copy what fits of a value that does not fit in whole, with a note for what is left out."""
        self._left = budget
        contents = contents_of(value, budget // ENTRY_BYTES + 1)
        if contents is not None:
            return self._in_container(value, contents, depth, self._fitting_entries)
        plain = self._plain(value)
        if type(plain) is list:
            return self.cut(plain, budget, depth)
        if type(plain) is str:
            sample = to_text(plain[:1_000])
            bytes_per_character = len(encode_basestring_ascii(sample)) / (len(sample) + 2)
            plain = to_text(plain, min(MAX_TEXT_LENGTH, int(budget / bytes_per_character)))
            self._left -= len(encode_basestring_ascii(plain)) + 1
        return plain

    def _fitting_entries(self, contents: Contents, depth: int) -> Any:
        """Copy the small entries first, then of each of the large ones what fits into an equal share of the rest."""
        left = self._left - NOTE_BYTES
        small = min(SMALL_BYTES, left // SMALL_SHARE)
        tries = left  # bytes copied of entries that turn out to be large: no more than the container has
        kept: dict[Any, Any] = {}  # by name, or by index
        numbers: dict[str, int] = {}
        large: list[tuple[Any, Any]] = []
        for index, entry in enumerate(contents.entries):
            if left < 0 or tries < 0:
                break
            name: Any = index
            value = entry
            if contents.is_mapping:
                name, value = self._key(entry[0], kept, numbers), entry[1]
                left -= len(name) + 3
            left -= 1
            self._left = share = min(left, small)
            kept[name] = None
            try:
                kept[name] = self._entry(value, depth)
                left -= share - self._left
            except Full:
                large.append((name, value))
                tries -= small
        for number, (name, value) in enumerate(large):
            share = max(left // (len(large) - number), SMALL_BYTES)
            try:
                if share > left:
                    raise Full
                kept[name] = self.cut(value, share, depth)
                left -= share - self._left
            except Full:
                del kept[name]
        self._left = left
        note = self._note(contents, kept)
        if contents.is_mapping:
            return {**kept, CUT: note} if note else kept
        elements = sorted(kept.values(), key=repr) if contents.is_set else list(kept.values())
        return [*elements, f"… {CUT[:-1]}: {note}]"] if note else elements

    def _note(self, contents: Contents, kept: dict[Any, Any]) -> str:
        """Return which entries were left out: their number, and the first of their keys. Empty if none was."""
        count = contents.total - len(kept)
        if count <= 0:
            return ""
        note = f"{count:,} of {contents.total:,} entries"
        if contents.is_mapping:
            names = (name for name in map(to_name, (key for key, _value in contents.entries)) if name not in kept)
            first = [name[:MAX_NOTED_KEY_LENGTH] for name in islice(names, MAX_NOTED_KEYS)]
            note += f": {', '.join(first)}{', …' if count > len(first) else ''}"
        return note
