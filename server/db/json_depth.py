"""Nesting of JSON: values that are nested too deeply become their text, so that they can be stored, read and shown.

Decoders and encoders give up at about a thousand levels, less where they are called from deep in a program, and a
template or a browser earlier.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from losswise.protocol.limits import INT64_MAX, INT64_MIN, MAX_JSON_DEPTH

MAX_SHOWN_CHARS = 200  # of a part that is nested too deeply
UNREADABLE = "[nested too deeply]"

CHUNK_BYTES = 1024 * 1024
# A string, also one that the text's end cuts off, or a bracket. Escaped characters have been masked: a pattern with a
# repeated group would take fifty bytes of memory for each.
_TOKEN = re.compile(rb'"[^"]*(?:"|\Z)|[\[\]{}]')
_LONG_NUMBER = re.compile(rb"\d{19}")
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class TooDeep(ValueError):
    """A value with more levels than allowed."""


def is_deeper(value: Any, depth: int = MAX_JSON_DEPTH) -> bool:
    """Return whether the value has more than `depth` levels of objects and lists. Does not recurse."""
    level = [value]
    for _ in range(depth + 1):
        level = [item for item in level if isinstance(item, (dict, list))]
        if not level:
            return False
        level = [item for container in level for item in _items(container)]
    return True


def _items(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def bounded(value: Any, depth: int = MAX_JSON_DEPTH, cut: bool = False) -> Any:
    """The value with integers over 64 bits as floats, which every reader of JSON understands.

    Args:
        depth: how many levels of objects and lists it may have.
        cut: replace what is nested deeper by its text; otherwise raise TooDeep.
    """
    if not isinstance(value, (dict, list)):
        return _bounded(value, depth, cut)
    # looking at the text takes a tenth of the time that looking at each value takes
    return value if _is_bounded(value, depth) else _bounded(value, depth, cut)


def _is_bounded(value: Any, depth: int) -> bool:
    """Whether there is certainly nothing to change."""
    try:
        text = msgspec.json.encode(value)
    except (RecursionError, OverflowError, TypeError, ValueError):
        return False
    text = without_strings(text)
    if _LONG_NUMBER.search(text):
        return False
    levels = text.translate(_AS_SQUARE, _NO_BRACKETS)
    while levels and depth:
        levels, depth = levels.replace(b"[]", b""), depth - 1
    return not levels


def without_strings(text: bytes) -> bytes:
    """JSON without its strings, so that each bracket in it is one of a list or an object."""
    text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    parts = []
    is_within = False
    for start in range(0, len(text), CHUNK_BYTES):  # all pieces of a large text at once could take much memory
        pieces = text[start : start + CHUNK_BYTES].split(b'"')
        parts.append(b"".join(pieces[is_within::2]))
        is_within ^= len(pieces) % 2 == 0
    return b"".join(parts)


def _bounded(value: Any, depth: int, cut: bool) -> Any:
    if isinstance(value, (dict, list)):
        if not depth:
            if not cut:
                raise TooDeep
            return as_text(value)
        if isinstance(value, dict):
            return {name: _bounded(item, depth - 1, cut) for name, item in value.items()}
        return [_bounded(item, depth - 1, cut) for item in value]
    return int64_or_float(value) if type(value) is int else value


def int64_or_float(value: int) -> int | float | str:
    """The integer, as a float if it has more than 64 bits; as "Infinity" or "-Infinity" if no float is that large."""
    if INT64_MIN <= value <= INT64_MAX:
        return value
    return float(value) if abs(value) < 2**1023 else ("Infinity" if value > 0 else "-Infinity")


def shallow(value: Any) -> Any:
    """A stored value as it can be shown: what is nested too deeply becomes its text, the rest stays as it is."""
    return bounded(value, cut=True) if is_deeper(value) else value


def as_text(value: Any, max_chars: int = MAX_SHOWN_CHARS) -> str:
    """A string as it is; another value as JSON text, of which `max_chars` are kept."""
    if isinstance(value, str):
        return value
    try:
        text = msgspec.json.encode(value).decode()
    except RecursionError:
        return UNREADABLE
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def decode_stored(text: str | bytes) -> Any:
    """Decode a JSON column, also one with more levels than the decoder takes."""
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        return msgspec.json.decode(cut_nesting(text.encode() if isinstance(text, str) else text))


def cut_nesting(text: bytes, depth: int = MAX_JSON_DEPTH) -> bytes:
    """The JSON text with each part that has more than `depth` levels around it as a string with its beginning.

    Text that is not JSON stays that.
    """
    parts: list[bytes] = []
    level = copied = start = 0
    masked = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    for token in _TOKEN.finditer(masked):
        bracket = token[0]
        if bracket in b"[{":
            level += 1
            if level == depth + 1:
                start = token.start()
        elif bracket in b"]}":
            if level == depth + 1:
                shown = text[start : min(token.end(), start + MAX_SHOWN_CHARS)].decode("utf-8", "replace")
                parts += (text[copied:start], json.dumps(shown).encode())
                copied = token.end()
            level -= 1
    return b"".join((*parts, text[copied:]))
