"""Make the fields of a session record storable and showable, whatever a client sent.

A session record is never rejected. What is too long or nested too deeply is cut, what has another type becomes a text,
and what makes no sense is left out.
"""

from __future__ import annotations

import math
from typing import Any

from losswise.protocol.limits import (
    INT64_MAX,
    LATEST_TIME_S,
    MAX_JSON_DEPTH,
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
)

from ..db.json_depth import as_text, bounded
from .schema import SessionRecord

MAX_LABEL_CHARS = 10_000  # of a tag or a group
MAX_TAGS = 1_000


def tidy(record: SessionRecord) -> None:
    """Replace the record's fields by ones of the right types and sizes."""
    record.project = record.project if isinstance(record.project, str) else None  # the default one
    record.tag = None if record.tag is None else text(record.tag, MAX_LABEL_CHARS)
    record.group = None if record.group is None else text(record.group, MAX_LABEL_CHARS)
    record.tags = _tags(record.tags)
    record.max_iter = max_iter(record.max_iter)
    record.created_at = _time(record.created_at)
    record.params = {
        cut(name, MAX_NAME_LENGTH): bounded(value, MAX_JSON_DEPTH - 1, cut=True)
        for name, value in _mapping(record.params, "params").items()
    }
    record.env = {
        cut(name, MAX_NAME_LENGTH): value if _is_scalar(value) else text(value, MAX_TEXT_LENGTH)
        for name, value in _mapping(record.env, "env").items()
    }
    record.git, record.info = _texts(record.git, "diff"), _texts(record.info, "info")


def text(value: Any, max_chars: int) -> str:
    """The value as text: a list or an object as JSON, cut with a note if it is longer than `max_chars`."""
    return cut(as_text(value, max_chars), max_chars)


def cut(value: str, max_chars: int) -> str:
    """The text, cut with a note if it is longer than `max_chars`."""
    if len(value) <= max_chars:
        return value
    note = f"… [cut: {len(value)} characters]"
    return value[: max_chars - len(note)] + note


def max_iter(value: Any) -> int | None:
    """The expected number of iterations: a fraction is rounded up, a text that is a number is read.

    None for what makes no sense, such as -1, infinity or a number over 64 bits.

    Example:
        >>> max_iter(100.5), max_iter("100"), max_iter(-1), max_iter("many"), max_iter(True)
        (101, 100, None, None, None)
    """
    if isinstance(value, str):
        value = value[:MAX_NAME_LENGTH]
        try:
            value = int(value) if value.isdecimal() else float(value)
        except ValueError:
            return None
    if isinstance(value, float) and math.isfinite(value):
        value = math.ceil(value)
    return value if type(value) is int and 1 <= value <= INT64_MAX else None


def _time(value: Any) -> float | None:
    is_time = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LATEST_TIME_S
    return value if is_time else None


def _tags(value: Any) -> list[str] | None:
    if value is None:
        return None
    tags = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(text(tag, MAX_NAME_LENGTH) for tag in tags[:MAX_TAGS]))


def _mapping(value: Any, name: str) -> dict[str, Any]:
    """An object; anything else as the entry `name` of one."""
    if isinstance(value, dict):
        return value
    return {} if value is None or value in ([], "") else {name: value}


def _texts(value: Any, name: str) -> dict[str, str]:
    return {
        cut(key, MAX_NAME_LENGTH): text(item, MAX_TEXT_LENGTH)
        for key, item in _mapping(value, name).items()
        if item is not None
    }


def _is_scalar(value: Any) -> bool:
    return (
        value is None or isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= MAX_TEXT_LENGTH)
    )
