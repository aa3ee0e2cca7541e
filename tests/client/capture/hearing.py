"""What tests of the console share."""

from __future__ import annotations

from losswise_server.ingest.decoding import convert_records

from losswise.capture.console import Console


def taken(console: Console, final: bool = True) -> str:
    records = console.take(final)
    assert len(records) <= 1
    convert_records(records)  # raises where one breaks the format
    for record in records:
        assert (record["name"], record["append"], record["x"]) == ("console", True, None)
    return "".join(record["text"] for record in records)
