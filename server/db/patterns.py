"""Regular expressions of users, in what RE2 and PostgreSQL have in common.

RE2 needs time that is linear in the text, whatever the pattern. It refuses what takes more, such as back references, so
PostgreSQL is not given those either.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import re2

MAX_PATTERN_CHARS = 500
MAX_REPEATS = 255  # PostgreSQL's limit
_LITERAL = re.compile(r"[\w /:,=@#%&;'-]*")
_OTHER_SYNTAX = re.compile(r"\(\?(?!:)|\\[^dDwWsS\W_]|\[\[[.=]|\*\*\*")


def problem_of(pattern: str) -> str | None:
    """What is wrong with a pattern, or None."""
    if len(pattern) > MAX_PATTERN_CHARS:
        return f"it has more than {MAX_PATTERN_CHARS} characters"
    if found := _OTHER_SYNTAX.search(pattern):
        return f"{found[0]} is not supported"
    if any(int(count) > MAX_REPEATS for count in re.findall(r"\d+(?=,?\d*\})|(?<=,)\d+(?=\})", pattern)):
        return f"it repeats something more than {MAX_REPEATS} times"
    try:
        _compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return None


def is_literal(pattern: str) -> bool:
    """Whether a pattern matches itself only, so that no engine is needed to search for it."""
    return _LITERAL.fullmatch(pattern) is not None


def matches(text: Any, pattern: str) -> bool | None:
    """Whether some part of the text matches. None if it is no text."""
    return bool(_compiled(pattern).search(text)) if isinstance(text, str) else None


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.dot_nl = True  # as in PostgreSQL
    options.log_errors = False
    return re2.compile(pattern, options)
