"""A batch: how many records fit into it, its body, and what a response says about its records."""

from __future__ import annotations

import json
from typing import Any

from losswise.delivery.client import Response
from losswise.journal.format import Header
from losswise.protocol.limits import (
    FORMAT,
    MAX_BATCH_COLUMNS,
    MAX_BATCH_IMAGES,
    MAX_BATCH_MARKS,
    MAX_BATCH_POINTS_RECORDS,
    MAX_BATCH_RECORDS,
    MAX_BATCH_REWINDS,
    MAX_BATCH_TEXTS,
)
from losswise.protocol.refusals import record_in_sentence

# sent in place of a rejected record, so that the records after it keep their numbers; it changes nothing
PLACEHOLDER = b'{"type":"values","values":{}}'

# how many records of a type a batch may have, by the letters of a line that tell the type
_TYPE = slice(len(b'{"type":"'), len(b'{"type":"') + 3)
_LIMITS = {
    b"poi": MAX_BATCH_POINTS_RECORDS,
    b"tex": MAX_BATCH_TEXTS,
    b"ima": MAX_BATCH_IMAGES,
    b"val": MAX_BATCH_MARKS,
    b"rew": MAX_BATCH_REWINDS,
}


def count_fitting(records: list[bytes]) -> int:
    """How many of the records, from the first on, a server takes in one batch.

    It can be less than what fits, since the lines are not decoded, but at least one. Bytes, points, lists and objects
    are not counted: the size of a batch in the journal is below those limits.
    """
    if len(records) <= MAX_BATCH_REWINDS:
        return len(records)
    left = dict(_LIMITS)
    columns = MAX_BATCH_COLUMNS
    for index, line in enumerate(records[:MAX_BATCH_RECORDS]):
        kind = line[_TYPE]
        if kind in left and (kind != b"val" or b'"mark":' in line):
            left[kind] -= 1
            if kind == b"poi":
                columns -= line.count(b":[")
            if left[kind] < 0 or columns < 0:
                return max(1, index)
    return min(len(records), MAX_BATCH_RECORDS)


def journal_size(records: list[bytes]) -> int:
    """Bytes that records take in the journal."""
    return sum(map(len, records)) + len(records)


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
