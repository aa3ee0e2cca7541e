"""Bound what one batch can make the server do. Bytes alone do not: a thousand rewinds are a few kilobytes.

A batch within these limits takes at most a few seconds on either database; docs/developing/protocol-v2.md lists them.
"""

from __future__ import annotations

from losswise.protocol.limits import (
    MAX_BATCH_COLUMNS,
    MAX_BATCH_IMAGES,
    MAX_BATCH_MARKS,
    MAX_BATCH_POINTS,
    MAX_BATCH_POINTS_RECORDS,
    MAX_BATCH_RECORDS,
    MAX_BATCH_REWINDS,
    MAX_BATCH_TEXTS,
    MAX_BATCH_VALUES,
)

from ..exceptions import ApiError
from .schema import ImageRecord, PointsRecord, Record, RewindRecord, TextRecord, ValuesRecord


def check_cost(records: list[Record]) -> None:
    """Raise ApiError (413) if the records are more than a batch may have: the client then splits it."""
    pieces = points = values = columns = images = marks = rewinds = 0
    texts: set[tuple[str, int | None]] = set()
    for record in records:
        if isinstance(record, PointsRecord):
            pieces += 1
            points += len(record.x)
            values += len(record.x) * len(record.y)
            columns += len(record.y)
        elif isinstance(record, TextRecord):
            texts.add((record.name, record.x))
        elif isinstance(record, ImageRecord):
            images += 1
        elif isinstance(record, ValuesRecord):
            marks += record.mark is not None
        elif isinstance(record, RewindRecord):
            rewinds += 1
    for count, limit, what in (
        (len(records), MAX_BATCH_RECORDS, "records"),
        (pieces, MAX_BATCH_POINTS_RECORDS, "points records"),
        (points, MAX_BATCH_POINTS, "points"),
        (values, MAX_BATCH_VALUES, "values (points times names)"),
        (columns, MAX_BATCH_COLUMNS, "names in all points records"),
        (len(texts), MAX_BATCH_TEXTS, "texts"),
        (images, MAX_BATCH_IMAGES, "images"),
        (marks, MAX_BATCH_MARKS, "marks"),
        (rewinds, MAX_BATCH_REWINDS, "rewinds"),
    ):
        if count > limit:
            raise ApiError(413, "too_large", f"{count} {what} in a batch; the limit is {limit}")
