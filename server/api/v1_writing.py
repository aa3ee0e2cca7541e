"""Store the records of v1 calls, in as many transactions as they need.

A v1 client sends nothing twice, so a record that is too expensive for one transaction is cut, and one that cannot be
stored is noted without harm to those beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from losswise.protocol.records import Record, points_record

from ..accounts.permissions import Access
from ..exceptions import ApiError, BadBatch
from ..ingest import pipeline
from ..ingest.decoding import convert_records
from ..ingest.schema import Batch
from .v1_refusals import Refusals

# In one transaction
MAX_POINTS = 50_000
MAX_VALUES = 500_000  # points times names
MAX_COLUMNS = 5_000


def store(access: Access, session_id: str, records: Iterable[Record], refusals: Refusals) -> None:
    """Store graph, points and values records.

    Raises:
        ApiError: the session does not exist, or may not be written.
    """
    for part in _parts(records):
        _store_part(access, session_id, part, refusals)


def _parts(records: Iterable[Record]) -> Iterator[list[Record]]:
    """The records in parts that take a fraction of a second each."""
    part: list[Record] = []
    points = values = columns = 0
    for record in records:
        width = len(record.get("y") or record.get("values") or ())
        height = len(record.get("x", "x"))
        points, values, columns = points + height, values + width * height, columns + width
        if part and (points > MAX_POINTS or values > MAX_VALUES or columns > MAX_COLUMNS):
            yield part
            part, points, values, columns = [], height, width * height, width
        part.append(record)
    if part:
        yield part


def _store_part(access: Access, session_id: str, records: list[Record], refusals: Refusals) -> None:
    """Store the records together; if that is too much, or some are bad, in smaller parts or without these."""
    try:
        pipeline.apply(Batch(session_id, convert_records(records)), access, protocol=1)
        return
    except BadBatch as error:
        bad = dict(zip(error.details["records"], error.details["errors"], strict=True))
        for index, reason in bad.items():
            _note(refusals, session_id, records[index], reason)
        parts = [[record for index, record in enumerate(records) if index not in bad]]
    except ApiError as error:
        if error.status != 413:
            raise
        middle = len(records) // 2
        parts = [records[:middle], records[middle:]] if middle else [[half] for half in _halves(records[0])]
        if not parts:
            _note(refusals, session_id, records[0], error.message)
    for part in filter(None, parts):
        _store_part(access, session_id, part, refusals)


def _halves(record: Record) -> list[Record]:
    """A points record in two; empty if it has only one point."""
    middle = len(record.get("x", ())) // 2
    return [
        points_record(
            record["graph"],
            record["x"][part],
            record["t"][part],
            {name: column[part] for name, column in record["y"].items()},
        )
        for part in ((slice(middle), slice(middle, None)) if middle else ())
    ]


def _note(refusals: Refusals, session_id: str, record: Record, reason: str) -> None:
    if record["type"] == "points":
        count = len(record["x"])
        refusals.note(session_id, f"{count} points from x = {record['x'][0]} on", reason, total=count)
    else:
        refusals.note(session_id, f"the {record['type']}", reason, record["type"])
