"""Check records and batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from losswise.protocol.limits import (
    INT64_MAX,
    INT64_MIN,
    KINDS,
    LATEST,
    MAX_NAME,
    MAX_NAMES,
    MAX_TEXT,
    RECORD_TYPES,
    STATUSES,
)
from losswise.protocol.numbers import NON_FINITE
from losswise.protocol.records import Record, is_id, is_sha256


class BadRecord(ValueError):
    """A record or batch that breaks the format; the message says what and where."""


# Checking records: what a server calls on what it was sent.


def check_record(record: Any) -> str:
    """Return the record's type, or raise BadRecord with a sentence that says what is wrong."""
    if not isinstance(record, dict):
        raise BadRecord(f"a record must be an object, not {_kind_of(record)}")
    type_ = record.get("type")
    checker = _CHECKERS.get(type_) if isinstance(type_, str) else None
    if checker is None:
        raise BadRecord(f"unknown record type {_short(type_)}; known are {', '.join(RECORD_TYPES)}")
    try:
        checker(record)
    except BadRecord as error:
        raise BadRecord(f"{type_} record: {error}") from None
    except OverflowError:
        raise BadRecord(f"{type_} record: a whole number is too large") from None
    return str(type_)


def check_batch(batch: Any) -> None:
    """Raise BadRecord unless the batch's own fields are right. Its records are checked one by one."""
    if not isinstance(batch, dict):
        raise BadRecord(f"a batch must be an object, not {_kind_of(batch)}")
    if not is_id(batch.get("session")):
        raise BadRecord("'session' must be 20 hex digits")
    records = batch.get("records", [])
    if not isinstance(records, list):
        raise BadRecord("'records' must be a list")
    if batch.get("writer") is not None and not is_id(batch["writer"]):
        raise BadRecord("'writer' must be 20 hex digits")
    if not isinstance(batch.get("replay", False), bool):
        raise BadRecord("'replay' must be true or false")
    seq = batch.get("seq")
    if seq is None:
        return
    if batch.get("writer") is None:
        raise BadRecord("'seq' needs a 'writer'")
    if not _is_int64(seq) or seq < 1 or seq < len(records):
        raise BadRecord("'seq' must be the number of the last record, counted from 1")


def _check_session(record: Record) -> None:
    for name in ("project", "tag", "group"):
        _optional(record, name, str, "text")
    for name in ("params", "git", "env", "info"):
        _optional(record, name, dict, "an object")
    tags = record.get("tags")
    if tags is not None and not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        raise BadRecord("'tags' must be a list of texts")
    max_iter = record.get("max_iter")
    if max_iter is not None and not (_is_int64(max_iter) and max_iter > 0):
        raise BadRecord("'max_iter' must be a whole number above 0, or null")
    created_at = record.get("created_at")
    if created_at is not None and not _is_time(created_at):
        raise BadRecord("'created_at' must be unix seconds, 0 to the year 9999")


def _check_graph(record: Record) -> None:
    _id(record, "id")
    _text(record, "title")
    _optional(record, "xlabel", str, "text")
    _optional(record, "ylabel", str, "text")
    if record.get("kind") is not None and record["kind"] not in KINDS:
        raise BadRecord("'kind' must be 'min', 'max' or null")


def _check_points(record: Record) -> None:
    _id(record, "graph")
    x, t, y = record.get("x"), record.get("t"), record.get("y")
    if not isinstance(x, list) or not set(map(type, x)) <= {int}:
        raise BadRecord("'x' must be a list of whole numbers")
    if x and not (INT64_MIN <= min(x) and max(x) <= INT64_MAX):
        raise BadRecord("'x' must fit into 64 bits")
    if not isinstance(t, list) or not all(map(_is_time, t)):
        raise BadRecord("'t' must be a list of unix seconds, 0 to the year 9999")
    if len(t) != len(x):
        raise BadRecord(f"'x' has {len(x)} places and 't' has {len(t)}")
    if not isinstance(y, dict):
        raise BadRecord("'y' must be an object of columns")
    if len(y) > MAX_NAMES:
        raise BadRecord(f"'y' has {len(y)} names; at most {MAX_NAMES} go into a graph")
    for name, column in y.items():
        _check_name(name)
        _check_column(name, column, len(x))


def _check_column(name: str, column: Any, length: int) -> None:
    if not isinstance(column, list):
        raise BadRecord(f"the column {_short(name)} must be a list")
    if len(column) != length:
        raise BadRecord(f"'x' has {length} places and the column {_short(name)} has {len(column)}")
    types = set(map(type, column))
    if not types <= {int, float, str, type(None)}:
        raise BadRecord(f"the column {_short(name)} holds something that is not a number or null")
    if str in types and not {value for value in column if isinstance(value, str)} <= NON_FINITE.keys():
        raise BadRecord(f"the column {_short(name)} holds a text other than NaN, Infinity, -Infinity")
    if int in types and not all(abs(value) < 2**1023 for value in column if isinstance(value, int)):
        raise BadRecord(f"the column {_short(name)} holds a whole number too large for a float")
    if float in types and not all(math.isfinite(value) for value in column if isinstance(value, float)):
        raise BadRecord(f"the column {_short(name)} holds a bare NaN or infinity; write it as a text")


def _check_values(record: Record) -> None:
    if not isinstance(record.get("values"), dict):
        raise BadRecord("'values' must be an object")
    if len(record["values"]) > MAX_NAMES:
        raise BadRecord(f"at most {MAX_NAMES} values a record")
    for name in record["values"]:
        _check_name(name)


def _check_text(record: Record) -> None:
    _text(record, "name")
    _check_name(record["name"])
    _text(record, "text")
    if len(record["text"]) > MAX_TEXT:
        raise BadRecord(f"a text has at most {MAX_TEXT} characters")
    if record.get("x") is not None and not _is_int64(record["x"]):
        raise BadRecord("'x' must be a whole number or null")
    _optional(record, "append", bool, "true or false")


def _check_image(record: Record) -> None:
    _text(record, "sequence")
    _text(record, "image_id")
    if not _is_int64(record.get("x")):
        raise BadRecord("'x' must be a whole number")
    if not is_sha256(record.get("sha256")):
        raise BadRecord("'sha256' must be 64 hex digits")
    for name in ("width", "height"):
        if record.get(name) is not None and not (_is_int64(record[name]) and record[name] >= 0):
            raise BadRecord(f"'{name}' must be a number of pixels or null")
    _optional(record, "outputs", dict, "an object")
    _optional(record, "metrics", dict, "an object")


def _check_rewind(record: Record) -> None:
    if not _is_int64(record.get("after")):
        raise BadRecord("'after' must be a whole number")
    if not _is_time(record.get("t")):
        raise BadRecord("'t' must be unix seconds, 0 to the year 9999")
    if record.get("graph") is not None:
        _id(record, "graph")


def _check_status(record: Record) -> None:
    if record.get("status") not in STATUSES:
        raise BadRecord(f"'status' must be one of {', '.join(STATUSES)}")
    _optional(record, "reason", str, "text")
    _optional(record, "error", dict, "an object")
    if record.get("t") is not None and not _is_time(record["t"]):
        raise BadRecord("'t' must be unix seconds, 0 to the year 9999")
    dropped = record.get("dropped")
    if dropped is not None and not (_is_int64(dropped) and dropped >= 0):
        raise BadRecord("'dropped' must be a number of points")


_CHECKERS: dict[str, Callable[[Record], None]] = {
    "session": _check_session,
    "graph": _check_graph,
    "points": _check_points,
    "values": _check_values,
    "text": _check_text,
    "image": _check_image,
    "rewind": _check_rewind,
    "status": _check_status,
}


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME:
        raise BadRecord(f"the name {_short(name)} is longer than {MAX_NAME} characters")


def _id(record: Record, name: str) -> None:
    if not is_id(record.get(name)):
        raise BadRecord(f"'{name}' must be 20 hex digits")


def _text(record: Record, name: str) -> None:
    if not isinstance(record.get(name), str):
        raise BadRecord(f"'{name}' must be text")


def _optional(record: Record, name: str, type_: type, words: str) -> None:
    if record.get(name) is not None and not isinstance(record[name], type_):
        raise BadRecord(f"'{name}' must be {words}")


def _is_int64(value: Any) -> bool:
    return type(value) is int and INT64_MIN <= value <= INT64_MAX


def _is_time(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= LATEST


def _kind_of(value: Any) -> str:
    names: Iterable[tuple[type, str]] = (
        (bool, "true or false"),
        (str, "text"),
        (list, "a list"),
        (dict, "an object"),
    )
    if value is None:
        return "null"
    return next((words for type_, words in names if isinstance(value, type_)), "a number")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:40] + "…" + text[-19:]
