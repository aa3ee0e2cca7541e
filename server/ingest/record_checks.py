"""Check what the types of the schema cannot say, so that what is stored can be read and shown on both databases."""

from __future__ import annotations

from typing import Any

import msgspec

from losswise.protocol.limits import MAX_JSON_DEPTH, MAX_NAME_LENGTH, MAX_OUTPUTS_BYTES, MAX_VALUES_BYTES

from ..db.json_depth import TooDeep, bounded
from ..exceptions import BadRecord
from .schema import ImageRecord, PointsRecord, Record, SessionRecord, StatusRecord, ValuesRecord
from .session_fields import cut, tidy

MAX_ERROR_CHARS = 100_000  # of each text of an error; a client cuts them, too
MAX_ERROR_FIELDS = 20


def check(record: Record) -> None:
    """Check a record that has the right types, and cut the texts that are only shown. Raises BadRecord."""
    if isinstance(record, PointsRecord):
        return
    if isinstance(record, SessionRecord):
        tidy(record)
    elif isinstance(record, ValuesRecord):
        record.values = _checked(record.values, "values", MAX_VALUES_BYTES)
    elif isinstance(record, ImageRecord):
        record.sequence, record.image_id = cut(record.sequence, MAX_NAME_LENGTH), cut(record.image_id, MAX_NAME_LENGTH)
        if record.outputs:
            record.outputs = _checked(record.outputs, "outputs", MAX_OUTPUTS_BYTES)
        if record.metrics:
            record.metrics = _checked(record.metrics, "metrics", MAX_OUTPUTS_BYTES)
    elif isinstance(record, StatusRecord):
        if record.reason is not None:
            record.reason = cut(record.reason, MAX_NAME_LENGTH)
        if record.error:
            record.error = {
                cut(name, MAX_NAME_LENGTH): cut(text, MAX_ERROR_CHARS)
                for name, text in list(record.error.items())[:MAX_ERROR_FIELDS]
                if text is not None
            }


def _checked(value: dict[str, Any], field: str, max_bytes: int) -> dict[str, Any]:
    try:
        size = len(msgspec.json.encode(value))
        if size > max_bytes:
            raise BadRecord(f"'{field}' takes at most {max_bytes:,} bytes of JSON")
        return bounded(value, MAX_JSON_DEPTH)
    except (TooDeep, RecursionError):
        raise BadRecord(f"'{field}' has at most {MAX_JSON_DEPTH} levels of objects and lists") from None
