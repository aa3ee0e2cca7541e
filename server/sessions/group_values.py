"""The value that a group of sessions shares: as JSON, as a text for people, and as a query for exactly its sessions."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any, NamedTuple

import msgspec

from ..query import columns, values
from ..query.nodes import Field, quoted

MAX_CHARS = 200
"""Longer texts are grouped by their beginnings of so many characters."""
FIRST_DAY, LAST_DAY = 0, (date(9999, 12, 30) - date(1970, 1, 1)).days
"""Days since 1970 that a query can name. What is earlier or later counts as one of them."""

_AMBIGUOUS = ("nan", "inf", "infinity", "-inf", "-infinity", "true", "false")
_SHORT_COMMIT = re.compile(r"[0-9a-fA-F]{7,}")
_FULL_COMMIT = re.compile(r"[0-9a-f]{40}")
_SPECIAL = re.compile(r"([!-/:-@\[-^`{-~])")
_EXACT = 2**53
_AT_START = r"^{}(.|\s)"  # and at least one character more, which may be the end of a line


class GroupValue(NamedTuple):
    """What the sessions of a group have in common.

    Attributes:
        number: also of a text that is a number; of a time, its day since 1970.
        text: another value: a text, true or false, a list or an object as its JSON text.
        is_long: whether `text` is only the beginning of the values, see MAX_CHARS.
        kind: "number", "text", "boolean", "json"; None if these sessions have no value.
    """

    number: float | None
    text: str | None
    is_long: bool
    kind: str | None

    def json(self, field: Field) -> dict[str, Any]:
        """{"value", "kind", "label", "q"}, see docs/api.md."""
        if self.kind is None:
            return {"value": None, "kind": "missing", "label": "none", "q": f"not has({field.text})"}
        if self.number is not None:
            if field.kind == "column" and field.name in columns.TIMES:
                return _of_day(field, int(self.number))
            number = whole_or_float(self.number)
            q = f"{field.short}={number_text(number)}"
            return {"value": number, "kind": "number", "label": _label(number), "q": q}
        text = self.text or ""
        return {
            "value": typed(self.kind, text, self.is_long),
            "kind": self.kind,
            "label": f"{text}…" if self.is_long else text,
            "q": _beginning(field, text) if self.is_long else _equals(field, text),
        }


def typed(kind: str, text: str, is_long: bool = False) -> Any:
    """The value whose text this is."""
    if kind == "boolean":
        return text == "true"
    if kind == "json" and not is_long:
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    return text


def whole_or_float(number: float) -> int | float:
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def number_text(number: int | float) -> str:
    """The number with all its digits, as short as a query can have it."""
    return re.sub(r"e([+-])0*(\d)", lambda found: f"e{found[1].strip('+')}{found[2]}", repr(number))


def _label(number: int | float) -> str:
    """The number; if it is so large that a float lacks its last digits, rounded."""
    return f"≈{number:.5g}" if isinstance(number, float) and abs(number) >= _EXACT else number_text(number)


def _of_day(field: Field, number: int) -> dict[str, Any]:
    """The group of a day, in the time zone of who asks."""
    day = date(1970, 1, 1) + timedelta(days=number)
    terms = []
    if number > FIRST_DAY:
        terms.append(f"{field.text}>={day}")
    if number < LAST_DAY:
        terms.append(f"{field.text}<{day + timedelta(days=1)}")
    return {"value": str(day), "kind": "day", "label": str(day), "q": " and ".join(terms)}


def _equals(field: Field, text: str) -> str:
    if field.kind == "column":
        # a part of a commit finds all that begin with it
        if field.name == "commit" and _SHORT_COMMIT.fullmatch(text) and not _FULL_COMMIT.fullmatch(text):
            return f"{field.short}~{_in_quotes('^' + _escaped(text) + '$')}"
        return f"{field.short}={quoted(text)}"
    # without quotes, `true` finds the text too, and both are one group
    is_word = text in ("true", "false") or (values.number(text) is None and text.lower() not in _AMBIGUOUS)
    return f"{field.short}={quoted(text) if is_word else _in_quotes(text)}"


def _beginning(field: Field, text: str) -> str:
    return f"{field.short}~{_in_quotes(_AT_START.format(_escaped(text)))}"


def _escaped(text: str) -> str:
    """The text as a regular expression, for both databases."""
    return _SPECIAL.sub(r"\\\1", text)


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
