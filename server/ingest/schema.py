"""The schema of a batch and its records as msgspec types: decoding a request checks it in the same pass.

What types cannot say is in record_checks.py. The fields are those of losswise.protocol.records; fields that are not
listed here are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from losswise.protocol.limits import (
    INT64_MAX,
    INT64_MIN,
    LATEST_TIME_S,
    MAX_KEPT,
    MAX_NAME_LENGTH,
    MAX_NAMES,
    MAX_TEXT_LENGTH,
)

Id = Annotated[str, Meta(pattern=r"^[0-9a-f]{20}\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Int64 = Annotated[int, Meta(ge=INT64_MIN, le=INT64_MAX)]
Positive = Annotated[int, Meta(ge=1, le=INT64_MAX)]
Count = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Pixels = Annotated[int, Meta(ge=0, le=2**31 - 1)]  # what a column of 32 bits holds
UnixTime = Annotated[float, Meta(ge=0, le=LATEST_TIME_S)]
Name = Annotated[str, Meta(max_length=MAX_NAME_LENGTH)]
# JSON has no NaN: these strings are those of protocol.records.encode_number
Value = float | Literal["NaN", "Infinity", "-Infinity"] | None
Kind = Literal["min", "max"]  # protocol.limits.KINDS
Status = Literal["active", "complete", "failed", "cancelled"]  # protocol.limits.STATUSES


class SessionRecord(Struct, tag_field="type", tag="session"):
    """A session record is never rejected: whatever its fields are, session_fields.tidy makes them what they should be.

    Without its session record a session could not be created, and all that belongs to it would be lost.
    """

    project: Any = None  # str
    tag: Any = None  # str
    group: Any = None  # str
    tags: Any = None  # list[str]
    params: Any = None  # dict[str, Any]
    max_iter: Any = None  # Positive
    created_at: Any = None  # UnixTime
    git: Any = None  # dict[str, str]
    env: Any = None  # dict[str, str | float | bool | None]
    info: Any = None  # dict[str, str]


class GraphRecord(Struct, tag_field="type", tag="graph"):
    id: Id
    title: str
    xlabel: str | None = None
    ylabel: str | None = None
    kind: Kind | None = None


class PointsRecord(Struct, tag_field="type", tag="points"):
    """Points of one graph as columns of equal length."""

    graph: Id
    x: list[Int64]
    t: list[UnixTime]
    y: Annotated[dict[Name, list[Value]], Meta(max_length=MAX_NAMES)]

    def __post_init__(self) -> None:
        length = len(self.x)
        if len(self.t) != length:
            raise ValueError("'x' and 't' must have the same length")
        if any(len(column) != length for column in self.y.values()):
            raise ValueError("'x' and each column of 'y' must have the same length")


class ValuesRecord(Struct, tag_field="type", tag="values"):
    """Cells of the session table, or (without values) a mark or the number of steps done, with the time `t`."""

    values: Annotated[dict[Name, Any], Meta(max_length=MAX_NAMES)]
    mark: Positive | None = None
    steps: Count | None = None
    t: UnixTime | None = None


class TextRecord(Struct, tag_field="type", tag="text"):
    name: Name
    text: Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]
    x: Int64 | None = None
    append: bool | None = None


class ImageRecord(Struct, tag_field="type", tag="image"):
    sequence: str
    x: Int64
    image_id: str
    sha256: Sha256
    width: Pixels | None = None
    height: Pixels | None = None
    outputs: dict[str, Any] | None = None
    metrics: dict[str, int | bool | Value] | None = None


class RewindRecord(Struct, tag_field="type", tag="rewind"):
    after: Int64
    t: UnixTime
    graph: Id | None = None
    since: UnixTime | None = None
    kept: Annotated[dict[Id, Positive], Meta(max_length=MAX_KEPT)] | None = None


class StatusRecord(Struct, tag_field="type", tag="status"):
    status: Status
    reason: str | None = None
    error: dict[str, str | None] | None = None
    dropped: Count | None = None
    t: UnixTime | None = None


Record = (
    SessionRecord | GraphRecord | PointsRecord | ValuesRecord | TextRecord | ImageRecord | RewindRecord | StatusRecord
)


class Batch(Struct):
    """Records of one session.

    `seq` is the number of the last record, counted by their writer from 1. Without it the records are not numbered
    (v1 clients, and session and graph records that are sent again), and are applied each time they are sent.
    `replay` is set where the records were kept in a journal after their process had ended.
    """

    session: Id
    records: list[Record] = []
    writer: Id | None = None
    seq: Positive | None = None
    replay: bool = False
    format: Any = 1
    refused: Any = None  # what was not stored so far: sessions.refusals reads it, and never rejects a batch for it
