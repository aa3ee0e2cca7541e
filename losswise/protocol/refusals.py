"""Why records are not stored, in words that are the same for records of the same kind."""

from __future__ import annotations

import re

_PLACE_IN_LIST = re.compile(r"^(\d+ bad records; )?(record|point) \d+ of \d+: ")


def plain_reason(reason: str) -> str:
    """A server's reason for rejecting a record, without the record's place in its batch.

    Example:
        >>> plain_reason("record 2 of 9: a value of 'x' must be a whole number, not text")
        "a value of 'x' must be a whole number, not text"
    """
    return _PLACE_IN_LIST.sub("", reason)


def record_in_sentence(sentence: str, count: int) -> int | None:
    """The index of the record that the error for a batch of `count` records names, as servers of early 5.0 did.

    Example:
        >>> record_in_sentence("record 2 of 9: 'graph' is missing", 9)
        1
    """
    found = re.match(r"record (\d+) of (\d+): ", sentence)
    if found is None or int(found[2]) != count or not 1 <= int(found[1]) <= count:
        return None
    return int(found[1]) - 1
