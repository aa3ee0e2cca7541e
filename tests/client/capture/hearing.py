"""What tests of the console share."""

from __future__ import annotations

from losswise.capture.console import Console
from losswise.protocol.validation import check_record


def taken(console: Console, final: bool = True) -> str:
    records = console.take(final)
    assert len(records) <= 1
    for record in records:
        check_record(record)
        assert (record["name"], record["append"], record["x"]) == ("console", True, None)
    return "".join(record["text"] for record in records)
