"""Why records are not stored, in words that are the same for records of the same kind."""

from __future__ import annotations

import re

_PLACE_IN_LIST = re.compile(r"^(\d+ bad records; )?(record|point) \d+ of \d+: ")
_WHOLE_RECORD = re.compile(r" - at `\$\.records\[\d+\]`$")
_RECORD = re.compile(r"`\$\.records\[\d+\]\.?")
_INDEX = re.compile(r"\[\d+\]")


def plain_reason(reason: str) -> str:
    """A server's reason for rejecting a record, without the record's place in its batch.

    Example:
        >>> plain_reason("record 2 of 9: Expected `int`, got `str` - at `$.records[1].x[0]`")
        'Expected `int`, got `str` - at `x[…]`'
    """
    reason = _RECORD.sub("`", _WHOLE_RECORD.sub("", _PLACE_IN_LIST.sub("", reason)))
    return _INDEX.sub("[…]", reason)


def record_in_sentence(sentence: str, count: int) -> int | None:
    """The index of the record that the error for a batch of `count` records names, as servers of early 5.0 did.

    Example:
        >>> record_in_sentence("record 2 of 9: Expected `int`, got `str`", 9)
        1
    """
    found = re.match(r"record (\d+) of (\d+): ", sentence)
    if found is None or int(found[2]) != count or not 1 <= int(found[1]) <= count:
        return None
    return int(found[1]) - 1
