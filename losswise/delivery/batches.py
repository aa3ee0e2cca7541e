"""The body of a batch, and what a response says about its records."""

from __future__ import annotations

import json
from typing import Any

from losswise.delivery.client import Response
from losswise.journal.format import Header
from losswise.protocol.limits import FORMAT
from losswise.protocol.refusals import record_in_sentence

# sent in place of a rejected record, so that the records after it keep their numbers; it changes nothing
PLACEHOLDER = b'{"type":"values","values":{}}'


def batch_body(
    header: Header, replay: bool, records: list[bytes], seq: int | None, refused: list[dict[str, Any]]
) -> bytes:
    """A batch as JSON, with records as they are in the journal.

    Args:
        seq: number of the last record; None for session and graph records that are sent again, or none.
        refused: what was set aside, see `RefusalSums.untold`.
    """
    fields: dict[str, Any] = {"format": FORMAT, "session": header.session, "writer": header.writer, "replay": replay}
    if seq is not None:
        fields["seq"] = seq
    if refused:
        fields["refused"] = refused
    return json.dumps(fields).encode()[:-1] + b',"records":[' + b",".join(records) + b"]}"


def rejected_records(response: Response, count: int) -> dict[int, str]:
    """Index and reason of the records in a batch of `count` that a response names; {} if it names none."""
    named, reasons = response.body.get("records"), response.body.get("errors")
    if not isinstance(named, list):  # an older server may name the first one in its sentence
        place = record_in_sentence(response.reason, count)
        return {} if place is None else {place: response.reason}
    if not isinstance(reasons, list) or len(reasons) != len(named):
        reasons = [response.reason] * len(named)
    found = zip(named, reasons, strict=True)
    return {index: str(reason) for index, reason in found if type(index) is int and 0 <= index < count}
