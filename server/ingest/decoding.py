"""Decode and check the batches that clients send."""

from __future__ import annotations

from typing import Any

import msgspec

from losswise.protocol.limits import FORMAT, MAX_BATCH_CONTAINERS, MAX_BATCH_VALUES

from ..db.json_depth import without_strings
from ..exceptions import ApiError, BadBatch, BadRecord
from . import json_body
from .batch_cost import check_cost
from .record_checks import check
from .schema import Batch, GraphRecord, Record, SessionRecord
from .schema_errors import sentence

MAX_COMMAS = 2 * MAX_BATCH_VALUES
"""A batch at its limits has about half as many. A body with more is not decoded, since each value takes memory."""

_decode = msgspec.json.Decoder(Batch).decode


def decode_batch(body: bytes) -> Batch:
    """The batch in the body of a v2 request.

    Raises:
        json_body.MalformedBody: it is not JSON.
        json_body.TooLarge: it has far more values than a batch may have.
        ApiError: it is not a batch of this format, is too large (413), or has bad records (BadBatch).
    """
    if body.count(b",") > MAX_COMMAS:
        raise json_body.TooLarge(f"a batch with far more than {MAX_BATCH_VALUES:,} values; send it in parts")
    # these take ten times the memory and time of a number
    if _brackets(body) > MAX_BATCH_CONTAINERS and _brackets(without_strings(body)) > MAX_BATCH_CONTAINERS:
        raise json_body.TooLarge(f"a batch with more than {MAX_BATCH_CONTAINERS:,} lists and objects; send it in parts")
    if not json_body.may_hold_unstorable_text(body):
        try:
            batch = _decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            pass  # the slow way below names every bad record
        else:
            _check_batch(batch)
            _check_records(list(enumerate(batch.records)), [], len(batch.records))
            return batch
    return _convert_batch(json_body.strict(body))


def _brackets(text: bytes) -> int:
    return text.count(b"[") + text.count(b"{")


def convert_records(values: list[Any]) -> list[Record]:
    """Records out of decoded JSON. Raises ApiError: too large (413), or BadBatch, which names all bad ones."""
    records: list[tuple[int, Record]] = []
    errors: list[tuple[int, str]] = []
    for index, value in enumerate(values):
        try:
            records.append((index, msgspec.convert(_with_whole_numbers(value), Record)))
        except msgspec.ValidationError as error:
            errors.append((index, sentence(str(error))))
    _check_records(records, errors, len(values))
    return [record for _, record in records]


def _convert_batch(value: Any) -> Batch:
    _check_format(value.get("format", FORMAT) if isinstance(value, dict) else FORMAT)
    fields = {**value, "records": []} if isinstance(value, dict) else value
    try:
        batch = msgspec.convert(fields, Batch)
    except msgspec.ValidationError as error:
        raise _bad(sentence(str(error))) from None
    values = value.get("records", [])
    if not isinstance(values, list):
        raise _bad("'records' must be a list")
    batch.records = convert_records(values)
    _check_batch(batch)
    return batch


def _check_records(records: list[tuple[int, Record]], errors: list[tuple[int, str]], count: int) -> None:
    """Check the records, given with their index, beyond their types.

    Args:
        errors: what is known to be wrong already, by index.
        count: how many records the batch has.
    """
    if not errors:
        check_cost([record for _, record in records])
    for index, record in records:
        try:
            check(record)
        except BadRecord as error:
            errors.append((index, str(error)))
    if errors:
        raise BadBatch(sorted(errors), count)


def _check_batch(batch: Batch) -> None:
    """Check that the batch's fields agree with each other."""
    _check_format(batch.format)
    if batch.seq is None:
        if not all(isinstance(record, (SessionRecord, GraphRecord)) for record in batch.records):
            raise _bad("a batch without 'seq' may hold session and graph records only")
    elif batch.writer is None:
        raise _bad("'seq' needs a 'writer'")
    elif batch.seq < len(batch.records):
        raise _bad("'seq' must be the number of the last record, counted from 1")
    if batch.writer is None:
        batch.refused = None  # it could not be told from the same of another writer


def _bad(message: str) -> ApiError:
    """The error for a batch whose own fields are wrong: no record is to blame."""
    return ApiError(422, "bad_batch", message)


def _check_format(format_: Any) -> None:
    if format_ != FORMAT:
        raise ApiError(
            422, "unsupported_format", f"this server reads format {FORMAT} of the records, not {str(format_)[:20]}"
        )


def _with_whole_numbers(record: Any) -> Any:
    """The record with each float that is a whole number, where the format asks for an integer, as an int."""
    if not isinstance(record, dict):
        return record
    changed: dict[str, Any] = {
        name: _whole(record[name]) for name in ("x", "after") if isinstance(record.get(name), float)
    }
    if isinstance(record.get("x"), list):
        changed["x"] = [_whole(x) if isinstance(x, float) else x for x in record["x"]]
    return {**record, **changed}


def _whole(value: float) -> int | float:
    return int(value) if value.is_integer() else value
