"""A v2 batch out of a request's body: points by a decoder that checks them as it reads, the rest record by record."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from losswise.protocol.limits import INT64_MAX, INT64_MIN, LATEST, MAX_BATCH_VALUES, MAX_NAME, MAX_NAMES

from . import json_body

_Whole = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
_Time = Annotated[float, Meta(ge=0, le=LATEST)]
_Name = Annotated[str, Meta(max_length=MAX_NAME)]
_Value = float | None | Literal["NaN", "Infinity", "-Infinity"]


class _Points(msgspec.Struct, tag_field="type", tag="points"):
    graph: Annotated[str, Meta(pattern="^[0-9a-f]{20}$")]
    x: list[_Whole]
    t: list[_Time]
    y: Annotated[dict[_Name, list[_Value]], Meta(max_length=MAX_NAMES)]


class _Batch(msgspec.Struct):
    records: list[msgspec.Raw]
    session: Any = None
    writer: Any = None
    seq: Any = None
    replay: Any = False
    format: Any = 1


COMMAS_MOST = 2 * MAX_BATCH_VALUES
"""A batch at its bounds has about half as many; more are not even decoded, since that takes memory for each value."""

_batch = msgspec.json.Decoder(_Batch).decode
_points = msgspec.json.Decoder(_Points).decode


def decode(body: bytes) -> tuple[Any, set[int]]:
    """(the batch as it stands, the places among its records that need no check any more).

    Raises jsontext.Unreadable where it is not JSON, TooLarge where it holds more than a batch may.
    """
    if body.count(b",") > COMMAS_MOST:
        raise json_body.TooLarge(f"a batch with far more than {MAX_BATCH_VALUES} values; send it in parts")
    if not json_body.suspicious(body):
        try:
            return _decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            pass  # the patient way below says in words what is wrong
    return json_body.strict(body), set()


def _decode(body: bytes) -> tuple[Any, set[int]]:
    batch = _batch(body)
    records: list[Any] = []
    checked: set[int] = set()
    for place, raw in enumerate(batch.records):
        found = _points_of(raw)
        if found is None:
            records.append(msgspec.json.decode(raw))
            continue
        checked.add(place)
        records.append({"type": "points", "graph": found.graph, "x": found.x, "t": found.t, "y": found.y})
    fields = {name: getattr(batch, name) for name in ("session", "writer", "seq", "replay", "format")}
    return {**fields, "records": records}, checked


def _points_of(raw: msgspec.Raw) -> _Points | None:
    try:
        found = _points(raw)
    except msgspec.ValidationError:  # another record, or one that check_record has words for
        return None
    length = len(found.x)
    if len(found.t) != length or any(len(column) != length for column in found.y.values()):
        return None
    return found
